// Which program owns which kernel arguments: the keys `x-options-source-NAME` of a boot loader entry.
// The entry's `options` hold the arguments of all owners together with everybody else's.
import { BootcError } from "../../errors.ts";
import {
  addKargs,
  areEqualKargs,
  formatKargs,
  type Karg,
  parseKargs,
  removeKargs,
} from "../kargs.ts";

const PREFIX = "x-options-source-";

/** Values of an entry's extension keys, by the whole key; an empty value means that nothing is owned. */
export type EntryKeys = ReadonlyMap<string, string>;

export interface OwnedKargs {
  /** All kernel arguments except `ostree=`. */
  readonly kargs: readonly Karg[];
  readonly keys: EntryKeys;
}

export interface SourceRequest {
  readonly source: string;
  /** The arguments that the source owns from now on. */
  readonly wanted: readonly Karg[];
}

/** What a command line asks for; without `options` the source gives up all its arguments. */
export function parseSourceRequest(source: string, options: string | undefined): SourceRequest {
  if (!/^[A-Za-z0-9_-]+$/.test(source)) {
    throw new BootcError(`\`${source}\` is not a valid name of a source`, {
      kind: "usage",
      hint: "use letters of ASCII, digits, `-` and `_`",
    });
  }
  return { source, wanted: parseOptions(options ?? "") };
}

function parseOptions(text: string): readonly Karg[] {
  const refuse = (problem: string, hint: string) =>
    new BootcError(`the options ${problem}`, { kind: "usage", hint });
  // A line break would begin another key of the entry.
  if (/[^\P{Cc}\t]/u.test(text)) {
    throw refuse("contain a control character", "put all arguments on one line");
  }
  if (text.split('"').length % 2 === 0) {
    throw refuse("have a quote that is not closed", "put a quote at both ends of the value");
  }
  const kargs = parseKargs(text);
  const reserved = kargs.find((it) => /^"?ostree(=|"?$)/.test(it));
  if (reserved === undefined) return kargs;
  throw refuse(`contain \`${reserved}\``, "ostree alone decides which deployment an entry boots");
}

/** The extension keys in the text of a boot loader entry. */
export function parseEntryKeys(text: string): EntryKeys {
  const lines = text.split("\n").flatMap((line) => {
    const [, key, value = ""] = /^\s*(x-\S+)(?:\s+(.*?))?\s*$/.exec(line) ?? [];
    return key === undefined ? [] : [[key, value] as const];
  });
  return new Map(lines);
}

/** `owned` after the request; undefined when nothing changes. */
export function changeSource(owned: OwnedKargs, request: SourceRequest): OwnedKargs | undefined {
  const key = `${PREFIX}${request.source}`;
  const before = owned.keys.get(key) ?? "";
  const value = formatKargs(request.wanted);
  const elsewhere = [...owned.keys].flatMap(([other, text]) =>
    other.startsWith(PREFIX) && other !== key ? parseKargs(text) : [],
  );
  // What another source owns as well stays for that one.
  const given = removeKargs(parseKargs(before), elsewhere);
  const kargs = addKargs(removeKargs(owned.kargs, given), request.wanted);
  const isSame = formatKargs(kargs.toSorted()) === formatKargs(owned.kargs.toSorted());
  if (isSame && value === before) return undefined;
  // An empty key stays: ostree copies keys that a new entry lacks from the booted one.
  return { kargs, keys: new Map([...owned.keys, [key, value]]) };
}

/** Of the extension keys of an entry, those that name owners of arguments. */
export function ownersOf(keys: EntryKeys): EntryKeys {
  return new Map([...keys].filter(([key]) => key.startsWith(PREFIX)));
}

/**
 * `booted` as if every source had asked there for what it owns in `staged`: another image that gets staged
 * in the place of that one begins with what is booted.
 */
export function repeatRequests(booted: OwnedKargs, staged: EntryKeys): OwnedKargs {
  return [...ownersOf(staged)].reduce((owned, [key, value]) => {
    const request = { source: key.slice(PREFIX.length), wanted: parseKargs(value) };
    return changeSource(owned, request) ?? owned;
  }, booted);
}

/** The arguments that a source owns, without those that somebody has taken away. */
export function ownedKargs({ kargs, keys }: OwnedKargs): readonly Karg[] {
  const owned = [...ownersOf(keys).values()].flatMap(parseKargs);
  return kargs.filter((karg) => owned.some((it) => areEqualKargs(it, karg)));
}
