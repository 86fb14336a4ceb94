// SELinux labels: computes a policy's labels with ostree, and sets labels with chcon.
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Context } from "../system/context.ts";
import { exists } from "../system/files.ts";
import { isSelinuxOn } from "../system/label.ts";
import { initRepo } from "./ostree/repo.ts";

export interface PolicyPath {
  /** The path to look up in the policy, relative to the root; the root itself is the empty string. */
  readonly path: string;
  readonly kind: "directory" | "file" | "link";
}

/**
 * The labels that the policy of the system at `policyRoot` gives to paths; paths without a label are
 * missing. ostree labels what it commits, so this commits a tree of empty files.
 */
export async function readPolicyLabels(
  ctx: Context,
  policyRoot: string,
  paths: readonly PolicyPath[],
): Promise<ReadonlyMap<string, string>> {
  const work = await mkdtemp(join(tmpdir(), "bootc-labels-"));
  try {
    const tree = join(work, "tree");
    await mkdir(tree);
    for (const it of paths) await addStandIn(tree, it);
    const repo = join(work, "repo");
    await initRepo(ctx, repo, "archive");
    const words = ["--orphan", "--no-bindings", "--timestamp=@0"];
    const commit = await ctx.read("ostree", [
      ...["commit", `--repo=${repo}`, ...words],
      ...[`--tree=dir=${tree}`, `--selinux-policy=${policyRoot}`],
    ]);
    const args = [`--repo=${repo}`, "--recursive", "--xattrs", commit.trim()];
    const labels = parseLabels(await ctx.read("ostree", ["ls", ...args]));
    return new Map(
      paths.flatMap(({ path }) => {
        const label = labels.get(standInName(path));
        return label === undefined ? [] : [[path, label] as const];
      }),
    );
  } finally {
    await rm(work, { recursive: true });
  }
}

/** ostree lists one path per line, so line feeds are replaced. No policy has a rule about them. */
function standInName(path: string): string {
  return path.replaceAll("\n", "_");
}

async function addStandIn(tree: string, { path, kind }: PolicyPath): Promise<void> {
  const place = join(tree, standInName(path));
  if (kind === "directory") {
    await mkdir(place, { recursive: true });
    return;
  }
  await mkdir(dirname(place), { recursive: true });
  await rm(place, { force: true });
  if (kind === "file") await writeFile(place, "");
  else await symlink(LINK_TARGET, place);
}

const LINK_TARGET = "x";

/** Parses lines of `ostree ls -R -X`: `d00755 0 0 0 { [(b'security.selinux', b'LABEL')] } /path`. */
export function parseLabels(text: string): ReadonlyMap<string, string> {
  const line =
    /^([dl-])\d+ +\d+ +\d+ +\d+ \{ .*?\(b'security\.selinux', b'([^']*)'\).*?\} \/(.*)$/gm;
  return new Map(
    [...text.matchAll(line)].map(([, kind, label = "", path = ""]) => {
      const end = kind === "l" ? ` -> ${LINK_TARGET}`.length : 0;
      return [path.slice(0, path.length - end), label];
    }),
  );
}

/** How many files are passed to one run of a program; well below the limit of a command line. */
const FILES_AT_ONCE = 500;

/** Sets a label on each file; for a symbolic link, on the link itself. */
export async function setLabels(
  ctx: Context,
  labels: readonly { readonly file: string; readonly label: string }[],
): Promise<void> {
  const files = Map.groupBy(labels, (it) => it.label);
  for (const [label, group] of files) {
    for (let i = 0; i < group.length; i += FILES_AT_ONCE) {
      const some = group.slice(i, i + FILES_AT_ONCE).map((it) => it.file);
      await ctx.run("chcon", ["--no-dereference", label, ...some]);
    }
  }
}

/** Sets one label. Fails if the kernel does not allow this label. */
export async function setLabel(ctx: Context, file: string, label: string): Promise<void> {
  await ctx.run("chcon", [label, file], { isQuiet: true });
}

/** Runs `replace`, and then restores the former label of the file at `path`. */
export async function keepLabel(
  ctx: Context,
  path: string,
  replace: () => Promise<void>,
): Promise<void> {
  if (!(await isSelinuxOn(ctx)) || !(await exists(path))) return await replace();
  const label = (await ctx.read("stat", ["--format=%C", path])).trim();
  await replace();
  await setLabel(ctx, path, label);
}

/** Finds files without a label, without following links. */
export async function findUnlabelled(
  ctx: Context,
  files: readonly string[],
): Promise<ReadonlySet<string>> {
  const unlabelled = new Set<string>();
  for (let i = 0; i < files.length; i += FILES_AT_ONCE) {
    const some = files.slice(i, i + FILES_AT_ONCE);
    // One line per file, in the given order: line feeds in names are quoted.
    const words = ["--directory", "-U", "--context", "--quoting-style=c"];
    const lines = (await ctx.read("ls", [...words, "--", ...some])).trimEnd().split("\n");
    if (lines.length !== some.length)
      throw new Error("unreachable: `ls` lists each file it is given");
    some.forEach((file, at) => {
      if (isUnlabelled(lines[at] ?? "")) unlabelled.add(file);
    });
  }
  return unlabelled;
}

/** Where SELinux is on, the kernel shows `unlabeled_t` for files without a label. */
function isUnlabelled(line: string): boolean {
  const [label = ""] = line.trimStart().split(" ", 1);
  return label === "?" || label.includes(":unlabeled_t:");
}
