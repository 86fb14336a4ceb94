// How a tree of files differs from the one it began as.
import type { DriftEntry, Entries } from "./entries.ts";

/** What two entries at one path can differ in. Values are as a person reads them. */
export interface Difference {
  readonly what: "type" | "content" | "target" | "mode" | "owner" | "label" | "attributes";
  readonly before?: string;
  readonly after?: string;
}

export type TreeChangeKind = "added" | "modified" | "removed";

export interface TreeChange {
  readonly kind: TreeChangeKind;
  /** Below the top. */
  readonly path: string;
  readonly before: DriftEntry | undefined;
  readonly after: DriftEntry | undefined;
  /** In which respects a modified entry differs. */
  readonly differences: readonly Difference[];
}

export interface TreeComparison {
  readonly before: Entries;
  readonly after: Entries;
  /** Whether two files of one size at this path have the same content. */
  readonly isSameContent: (path: string) => Promise<boolean>;
  /** The label that the entry should have; undefined where any label is right. */
  readonly labelFor: (path: string, before: DriftEntry) => string | undefined;
}

/** Every change below the top, in the order of paths. What was in a removed directory is not listed. */
export async function findChanges(comparison: TreeComparison): Promise<readonly TreeChange[]> {
  const { before, after } = comparison;
  const changes: TreeChange[] = [];
  for (const path of new Set([...before.keys(), ...after.keys()])) {
    const change = path === "" ? undefined : await compareAt(path, comparison);
    if (change !== undefined) changes.push(change);
  }
  return changes.sort((a, b) => comparePaths(a.path, b.path));
}

async function compareAt(
  path: string,
  comparison: TreeComparison,
): Promise<TreeChange | undefined> {
  const before = comparison.before.get(path);
  const after = comparison.after.get(path);
  if (after === undefined) {
    const isCovered = comparison.after.get(pathAbove(path))?.kind !== "directory";
    return isCovered ? undefined : { kind: "removed", path, before, after, differences: [] };
  }
  if (before === undefined) return { kind: "added", path, before, after, differences: [] };
  const differences = await compareEntries(path, before, after, comparison);
  if (differences.length === 0) return undefined;
  return { kind: "modified", path, before, after, differences };
}

async function compareEntries(
  path: string,
  before: DriftEntry,
  after: DriftEntry,
  { isSameContent, labelFor }: TreeComparison,
): Promise<readonly Difference[]> {
  if (before.kind !== after.kind) {
    return [{ what: "type", before: describeKind(before), after: describeKind(after) }];
  }
  const isSame =
    before.kind !== "file" || (before.sizeBytes === after.sizeBytes && (await isSameContent(path)));
  return [
    ...(isSame ? [] : [{ what: "content" } as const]),
    ...compareValues("target", before.target ?? "", after.target ?? ""),
    // Every symbolic link has all permissions.
    ...(before.kind === "link"
      ? []
      : compareValues("mode", formatMode(before.mode), formatMode(after.mode))),
    ...compareValues("owner", `${before.uid}:${before.gid}`, `${after.uid}:${after.gid}`),
    ...compareLabels(labelFor(path, before), after.label),
    ...(hasSameXattrs(before, after) ? [] : [{ what: "attributes" } as const]),
  ];
}

function compareValues(
  what: Difference["what"],
  before: string,
  after: string,
): readonly Difference[] {
  return before === after ? [] : [{ what, before, after }];
}

/**
 * Only the type of a label counts, as for restorecon: the user in a label is whoever wrote the file.
 */
function compareLabels(wanted: string | undefined, found: string | undefined) {
  if (wanted === undefined || typeOfLabel(wanted) === typeOfLabel(found ?? "")) return [];
  return compareValues("label", wanted, found ?? "none");
}

function typeOfLabel(label: string): string {
  return label.split(":")[2] ?? label;
}

function hasSameXattrs({ xattrs: before }: DriftEntry, { xattrs: after }: DriftEntry): boolean {
  if (before.size !== after.size) return false;
  return [...before].every(([name, value]) => after.get(name)?.equals(value) === true);
}

export function formatMode(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, "0");
}

export function describeKind({ kind }: Pick<DriftEntry, "kind">): string {
  return kind === "link" ? "symbolic link" : kind;
}

/** The directory that `path` is in; the top for a path of one name. */
export function pathAbove(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

/** Sorts a directory before what it contains, and that before the next name. */
export function comparePaths(a: string, b: string): number {
  const [one, other] = [a, b].map((it) => it.replaceAll("/", "\0")) as [string, string];
  return one < other ? -1 : one > other ? 1 : 0;
}
