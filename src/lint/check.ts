// What a check is, what it looks at, and what it finds.
import type { ImageTree } from "./tree.ts";

/** `note`: advice, which never makes a run fail. */
export type Severity = "fatal" | "warning" | "note";

/** `running`: the system we are a part of, as in an image build; else a directory that somebody named. */
export type RootKind = "running" | "alternative";

export interface Check {
  readonly name: string;
  readonly severity: Severity;
  /** The only kind of root the check makes sense for. */
  readonly rootKind?: RootKind;
  /** What it looks for: half a sentence, for lists. */
  readonly description: string;
  /** Why that is a problem: sentences, for the page. */
  readonly reason: string;
  /** What to do about it: sentences, for the page. */
  readonly fix: string;
  /** Reported after all others, as it looks at every name. */
  readonly isLast?: boolean;
  readonly look: (subject: Subject) => Outcome;
}

export type Outcome = readonly Finding[] | Skipped;

/** Nobody can say whether there is something to find. */
export interface Skipped {
  readonly skipped: string;
}

/** One sentence, or the heading of a list. */
export interface Finding {
  readonly message: string;
  /** What the sentence is about. */
  readonly path?: string;
  readonly repair?: Repair;
  readonly items?: readonly Item[];
  /** The list is written behind the heading: its first item, and how many more there are. */
  readonly isInline?: boolean;
}

export interface Item {
  /** As it appears in the list. */
  readonly shown: string;
  readonly path?: string;
  readonly repair?: Repair;
}

/** What `--fix` does to the path of a finding. */
export type Repair =
  | { readonly kind: "remove" }
  | { readonly kind: "empty" }
  | { readonly kind: "chmod"; readonly mode: number }
  | { readonly kind: "mkdir"; readonly mode: number }
  | { readonly kind: "symlink"; readonly target: string };

export interface Subject {
  readonly tree: ImageTree;
  readonly rootKind: RootKind;
  /** Node's name of the architecture. */
  readonly arch: string;
  readonly packages: Known<Packages>;
  readonly base: Known<ImageTree>;
  readonly image: Known<ImageFacts>;
}

/** Something that may be out of reach, and then why. */
export type Known<T> = { readonly value: T } | { readonly missing: string };

export interface Packages {
  /** Paths in /etc that packages brought, or their scripts registered. */
  readonly etcPaths: ReadonlySet<string>;
}

export interface ImageFacts {
  readonly labels: Readonly<Record<string, string>>;
  readonly layers: readonly LayerFacts[];
  readonly rewrites: readonly Rewrite[];
}

export interface LayerFacts {
  readonly digest: string;
  readonly sizeBytes: number;
  readonly files: number;
  /** Bytes of files, uncompressed. */
  readonly contentBytes: number;
}

/** A file that a layer has although a layer below has it, too. */
export interface Rewrite {
  readonly path: string;
  /** Of the file below, which nobody sees any more. */
  readonly sizeBytes: number;
  readonly layer: number;
}

/** The outcome of `look` with what it needs, or why there is none. */
export function using<T>(known: Known<T>, look: (value: T) => readonly Finding[]): Outcome {
  return "missing" in known ? { skipped: known.missing } : look(known.value);
}

/** A list under a heading, when there is anything to list. */
export function listing(
  message: string,
  items: readonly Item[],
  how: Pick<Finding, "isInline"> = {},
): readonly Finding[] {
  return items.length === 0 ? [] : [{ message, items, ...how }];
}
