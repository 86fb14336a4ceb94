// Changes of a tree as lines for people and as a document for programs.
import { printable } from "../printable.ts";
import {
  type Difference,
  describeKind,
  formatMode,
  type TreeChange,
  type TreeChangeKind,
} from "./changes.ts";

const KINDS: readonly TreeChangeKind[] = ["added", "modified", "removed"];

/** One line per change: what was added first, then what was modified, then what was removed. */
export function formatChanges(changes: readonly TreeChange[]): readonly string[] {
  return inOrder(changes).map((it) => {
    const details = it.differences.map(formatDifference).join(", ");
    return `${formatChange(it)}${details === "" ? "" : ` (${details})`}`;
  });
}

/** The lines of bootc 1.x, which do not say in what a path differs. */
export function formatPlainChanges(changes: readonly TreeChange[]): readonly string[] {
  return inOrder(changes).map(formatChange);
}

function inOrder(changes: readonly TreeChange[]): readonly TreeChange[] {
  return KINDS.flatMap((kind) => changes.filter((it) => it.kind === kind));
}

function formatChange({ kind, path }: TreeChange): string {
  return `${kind.slice(0, 1).toUpperCase()}${kind.slice(1)} ${quoteDriftPath(path)}`;
}

function formatDifference({ what, before, after }: Difference): string {
  if (before === undefined || after === undefined) return what;
  return `${what} ${printable(before)} -> ${printable(after)}`;
}

/** In double quotes, as a program would write it. */
export function quoteDriftPath(path: string): string {
  return printable(JSON.stringify(path));
}

export interface ChangesDocument {
  readonly directory: string;
  readonly changes: readonly ChangeDocument[];
}

interface ChangeDocument {
  readonly path: string;
  readonly change: TreeChangeKind;
  readonly type: string;
  readonly differences?: readonly Difference[];
  /** Of what was added; of what was removed, as the image has it. */
  readonly mode?: string;
  readonly owner?: string;
  readonly target?: string;
}

export function documentChanges(
  directory: string,
  changes: readonly TreeChange[],
): ChangesDocument {
  return { directory, changes: changes.map(documentChange) };
}

function documentChange({ path, kind, before, after, differences }: TreeChange): ChangeDocument {
  const entry = after ?? before;
  if (entry === undefined) throw new Error("unreachable: a change has a side");
  return {
    path,
    change: kind,
    type: describeKind(entry),
    ...(kind === "modified"
      ? { differences }
      : { mode: formatMode(entry.mode), owner: `${entry.uid}:${entry.gid}` }),
    ...(entry.target !== undefined && { target: entry.target }),
  };
}
