// Which files in /etc belong to packages, by the database of whichever package manager made the root.
import { join } from "node:path";
import { BootcError } from "../../errors.ts";
import { readRpmFiles } from "../../programs/rpm.ts";
import type { Context } from "../../system/context.ts";
import { requirePrograms } from "../../system/find-program.ts";
import type { Known, Packages } from "../check.ts";
import type { ImageTree } from "../tree.ts";

const DPKG_DIRS = ["var/lib/dpkg", "usr/lib/sysimage/dpkg", "usr/share/dpkg/db"];
const RPM_DIRS = ["usr/share/rpm", "usr/lib/sysimage/rpm", "var/lib/rpm"];
const RPM_FILES = ["rpmdb.sqlite", "Packages.db", "Packages"];
const PACMAN_DIRS = [
  "var/lib/pacman/local",
  "usr/lib/sysimage/lib/pacman/local",
  "usr/lib/pacman/local",
];

export async function readPackages(
  ctx: Context,
  root: string,
  tree: ImageTree,
): Promise<Known<Packages>> {
  const paths = [...readDpkg(tree), ...readPacman(tree)];
  if (paths.length > 0) return known(paths);
  const dir = RPM_DIRS.find((it) =>
    RPM_FILES.some((file) => tree.follow(`${it}/${file}`)?.kind === "file"),
  );
  if (dir === undefined) return { missing: "no package database was found" };
  if (!hasRpm(ctx)) return { missing: `the program rpm is needed to read /${dir}` };
  const real = tree.follow(dir)?.path ?? dir;
  return known(await readRpmFiles(ctx, join(root, real)));
}

function hasRpm(ctx: Context): boolean {
  try {
    requirePrograms(ctx, ["rpm"]);
    return true;
  } catch (error) {
    if (error instanceof BootcError) return false;
    throw error;
  }
}

function known(paths: readonly string[]): Known<Packages> {
  return { value: { etcPaths: new Set(paths.filter((it) => it.startsWith("/etc/"))) } };
}

/** The lists of files, configuration files, and what scripts registered with ucf. */
function readDpkg(tree: ImageTree): readonly string[] {
  const dir = DPKG_DIRS.find((it) => tree.names(`${it}/info`).length > 0);
  if (dir === undefined) return [];
  const lists = tree.names(`${dir}/info`).filter((it) => /\.(list|conffiles)$/.test(it));
  const paths = lists.flatMap((it) => linesOf(tree, `${dir}/info/${it}`));
  const registered = linesOf(tree, "var/lib/ucf/hashfile").map((it) => it.replace(/^\S+\s+/, ""));
  return [...paths, ...registered].filter((it) => it.startsWith("/"));
}

function readPacman(tree: ImageTree): readonly string[] {
  const dir = PACMAN_DIRS.find((it) => tree.names(it).length > 0);
  if (dir === undefined) return [];
  return (
    tree
      .names(dir)
      .flatMap((it) => linesOf(tree, `${dir}/${it}/files`))
      .filter((it) => it.startsWith("etc/"))
      // Behind configuration files there is a digest.
      .map((it) => `/${it.split("\t")[0]}`)
  );
}

function linesOf(tree: ImageTree, path: string): readonly string[] {
  return (tree.readText(path) ?? "").split("\n");
}
