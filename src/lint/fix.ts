// Repairs what a finding says can be repaired safely.
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  rmdirSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { errnoOf } from "../errors.ts";
import type { Finding, Repair } from "./check.ts";
import { absolute } from "./formats/quote.ts";
import type { Report } from "./run.ts";
import type { ImageTree } from "./tree.ts";

export interface PlannedRepair {
  readonly name: string;
  readonly path: string;
  readonly repair: Repair;
}

/** What can be repaired; what is in a directory comes before the directory. */
export function planRepairs({ found }: Report): readonly PlannedRepair[] {
  const planned = found.flatMap(({ check, findings }) =>
    findings
      .flatMap(partsOf)
      .flatMap(({ path, repair }) =>
        path === undefined || repair === undefined ? [] : [{ name: check.name, path, repair }],
      ),
  );
  return planned.sort((a, b) => (a.path > b.path ? -1 : 1));
}

function partsOf(finding: Finding): readonly Pick<Finding, "path" | "repair">[] {
  return finding.items ?? [finding];
}

export function describeRepair({ name, path, repair }: PlannedRepair): string {
  return `Fixed: ${name}: ${describe(repair, absolute(path))}`;
}

function describe(repair: Repair, path: string): string {
  switch (repair.kind) {
    case "remove":
      return `removed ${path}`;
    case "empty":
      return `emptied ${path}`;
    case "chmod":
      return `changed the mode of ${path} to ${repair.mode.toString(8).padStart(4, "0")}`;
    case "mkdir":
      return `made the directory ${path}`;
    case "symlink":
      return `made the link ${path}`;
  }
}

/** Carries it out, and says whether there was something to do. No link of the tree is followed outside. */
export function repairPath(
  root: string,
  tree: ImageTree,
  { path, repair }: PlannedRepair,
): boolean {
  const real = realPath(tree, path, repair);
  if (real === undefined) return false;
  try {
    carryOut(repair, join(root, real));
    return true;
  } catch (error) {
    if (UNCHANGED.includes(errnoOf(error) ?? "")) return false;
    throw error;
  }
}

/** An earlier repair was about the same path, or what is mounted in a directory keeps it. */
const UNCHANGED = ["ENOENT", "EEXIST", "ENOTEMPTY", "EBUSY"];

function carryOut(repair: Repair, path: string): void {
  switch (repair.kind) {
    case "remove":
      if (lstatSync(path).isDirectory()) rmdirSync(path);
      else unlinkSync(path);
      return;
    case "empty":
      truncateSync(path);
      return;
    case "chmod":
      chmodSync(path, repair.mode);
      return;
    case "mkdir":
      mkdirSync(path);
      // The umask must not change it.
      chmodSync(path, repair.mode);
      return;
    case "symlink":
      symlinkSync(repair.target, path);
  }
}

/** Undefined when nothing there can be repaired. What the walk found has no link in its path. */
function realPath(tree: ImageTree, path: string, { kind }: Repair): string | undefined {
  const entry = tree.at(path);
  if (kind === "remove") return entry?.path;
  // A second name may be an object of an ostree repository, or belong to another tree.
  if ((kind === "empty" || kind === "chmod") && entry?.inode !== undefined) return undefined;
  if (kind === "empty") return entry?.kind === "file" ? entry.path : undefined;
  if (kind === "chmod") return entry?.kind === "link" ? undefined : entry?.path;
  const parent = dirname(path);
  if (entry !== undefined) return undefined;
  if (parent === ".") return path;
  const dir = tree.follow(parent);
  return dir?.kind === "directory" ? join(dir.path, basename(path)) : undefined;
}
