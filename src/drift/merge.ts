// The three-way merge: which changes of one tree can be made to another, and how.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { describeKind, type TreeChange } from "./changes.ts";
import type { DriftKind, Entries } from "./entries.ts";
import { quoteDriftPath } from "./format.ts";
import { copyDirectoryItself, copyEntry, type TreePair } from "./place.ts";
import { ancestorsOf } from "./restore.ts";

export interface MergeStep {
  /** `directory` makes a missing directory, or changes the attributes of one. */
  readonly action: "copy" | "directory" | "remove";
  readonly path: string;
}

export interface MergePlan {
  readonly steps: readonly MergeStep[];
  /** Why changes cannot be made, as phrases. Nothing may be merged then. */
  readonly unmergable: readonly string[];
}

/** Plans to make `changes` to a tree with the entries `fresh`. */
export function planMerge(changes: readonly TreeChange[], fresh: Entries): MergePlan {
  const steps: MergeStep[] = [];
  const unmergable: string[] = [];
  const made = new Set<string>();
  for (const { path, kind, after } of changes) {
    const above = ancestorsOf(path);
    const obstacle = above.find((it) => fresh.has(it) && !isDirectory(fresh, it));
    if (kind === "removed" || after === undefined) {
      // A link in place of a parent leads to something else.
      if (fresh.has(path) && obstacle === undefined) steps.push({ action: "remove", path });
      continue;
    }
    const clash = obstacle ?? (isClash(after.kind, fresh.get(path)?.kind) ? path : undefined);
    if (clash !== undefined) {
      unmergable.push(describeClash(path, clash, { changed: after.kind, fresh }));
      continue;
    }
    for (const it of above.filter((it) => !fresh.has(it) && !made.has(it))) {
      steps.push({ action: "directory", path: it });
      made.add(it);
    }
    if (after.kind === "directory") made.add(path);
    steps.push({ action: after.kind === "directory" ? "directory" : "copy", path });
  }
  return { steps, unmergable };
}

/** Files and links replace each other; neither replaces a directory, nor a directory them. */
function isClash(changed: DriftKind, fresh: DriftKind | undefined): boolean {
  return fresh !== undefined && (changed === "directory") !== (fresh === "directory");
}

function isDirectory(entries: Entries, path: string): boolean {
  return entries.get(path)?.kind === "directory";
}

function describeClash(
  path: string,
  clash: string,
  { changed, fresh }: { readonly changed: DriftKind; readonly fresh: Entries },
): string {
  const found = fresh.get(clash);
  const kind = found === undefined ? "missing" : describeKind(found);
  if (clash !== path)
    return `${quoteDriftPath(path)}: ${quoteDriftPath(clash)} is a ${kind} in the new tree`;
  return `${quoteDriftPath(path)}: a ${describeKind({ kind: changed })} here, a ${kind} in the new tree`;
}

export async function applyMerge(pair: TreePair, steps: readonly MergeStep[]): Promise<void> {
  for (const { action, path } of steps) {
    switch (action) {
      case "copy":
        await copyEntry(pair, path);
        break;
      case "directory":
        await copyDirectoryItself(pair, path);
        break;
      case "remove":
        await rm(join(pair.to, path), { recursive: true, force: true });
        break;
    }
  }
}
