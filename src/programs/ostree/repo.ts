// `ostree` on a repository: commits, local pulls, refs, pruning, checkouts.
import { BootcError } from "../../errors.ts";
import { CHECKSUM } from "../../ostree/objects.ts";
import type { Context } from "../../system/context.ts";
import { feed } from "../../system/feed.ts";
import { failureOf } from "../../system/run.ts";

export interface TarCommit {
  readonly repo: string;
  readonly ref: string;
  /** Further options of `ostree commit`. */
  readonly args: readonly string[];
}

/** Commits a tar stream to `ref` and returns the checksum of the commit. */
export async function commitTar(
  ctx: Context,
  { repo, ref, args }: TarCommit,
  tar: AsyncIterable<readonly Uint8Array[]>,
): Promise<string> {
  const all = commitArgs("tar=-", { repo, ref, args });
  return requireChecksum(await feed(ctx, { program: "ostree", args: all }, tar));
}

/** Commits a directory to `ref` and returns the checksum of the commit. */
export async function commitDirectory(
  ctx: Context,
  { repo, ref, directory, args }: TarCommit & { readonly directory: string },
): Promise<string> {
  const all = commitArgs(`dir=${directory}`, { repo, ref, args });
  return requireChecksum(await ctx.read("ostree", all, { endsWithUs: true }));
}

function commitArgs(tree: string, { repo, ref, args }: TarCommit): readonly string[] {
  const where = [`--repo=${repo}`, `--branch=${ref}`];
  return ["commit", ...where, "--parent=none", "--no-bindings", `--tree=${tree}`, ...args];
}

function requireChecksum(text: string): string {
  const checksum = text.trim();
  if (CHECKSUM.test(checksum)) return checksum;
  throw new BootcError("`ostree commit` did not say which commit it wrote");
}

export interface LocalPull {
  readonly scratch: string;
  /** The commits to pull instead of all refs of the scratch repository. */
  readonly commits?: readonly string[];
  /** Whether to trust the objects: not to hash them again, and to hard-link them where possible. */
  readonly isTrusted?: boolean;
}

/** Pulls refs of a scratch repository, with all their objects, into `repo` in one transaction. */
export async function pullLocal(
  ctx: Context,
  repo: string,
  { scratch, commits = [], isTrusted = false }: LocalPull,
): Promise<void> {
  const args = [
    ...(isTrusted ? [] : ["--untrusted"]),
    ...["--disable-verify-bindings", `--repo=${repo}`, scratch, ...commits],
  ];
  try {
    await ctx.read("ostree", ["pull-local", ...args], { endsWithUs: true });
  } catch (cause) {
    if (!isOutOfRoom(cause)) throw cause;
    throw new BootcError("no room left in the repository", { kind: "space", cause });
  }
}

/** Whether ostree failed because of a full disk, a quota or `min-free-space`, according to its message. */
export function isOutOfRoom(error: unknown): boolean {
  return (
    error instanceof BootcError && /No space left|min-free-space|Disk quota/.test(error.message)
  );
}

/** The checksum of the commit that a ref, a checksum or the beginning of one names. */
export async function resolveRevision(
  ctx: Context,
  repo: string,
  revision: string,
): Promise<string> {
  try {
    return (await ctx.read("ostree", ["rev-parse", `--repo=${repo}`, "--", revision])).trim();
  } catch (cause) {
    const said = failureOf(cause)
      ?.stderr.trim()
      .replace(/^error: /, "");
    if (!said) throw cause;
    throw new BootcError(`\`${revision}\` does not name a commit of \`${repo}\`: ${said}`, {
      kind: "usage",
    });
  }
}

/** Makes an empty repository in the directory `repo`, which may exist. */
export async function initRepo(
  ctx: Context,
  repo: string,
  mode: "archive" | "bare-user",
): Promise<void> {
  await ctx.run("ostree", ["init", `--repo=${repo}`, `--mode=${mode}`], { isQuiet: true });
}

/** Copies refs with all their objects in one transaction. Commits may be bound to refs of their origin. */
export async function copyRefs(
  ctx: Context,
  repo: string,
  { from, refs }: { readonly from: string; readonly refs: readonly string[] },
): Promise<void> {
  await ctx.run("ostree", [
    ...["pull-local", `--repo=${repo}`, "--untrusted", "--disable-verify-bindings"],
    ...[from, ...refs],
  ]);
}

/** Points `ref` to a commit of the repository, replacing any existing ref. */
export async function createRef(
  ctx: Context,
  repo: string,
  { ref, commit }: { readonly ref: string; readonly commit: string },
): Promise<void> {
  const args = ["refs", `--repo=${repo}`, "--force", `--create=${ref}`, commit];
  await ctx.run("ostree", args, { isQuiet: true });
}

/** How many refs are passed to one run of ostree; well below the limit of a command line. */
const REFS_AT_ONCE = 500;

/** Deletes refs by their full names. Missing refs are ignored. */
export async function deleteRefs(
  ctx: Context,
  repo: string,
  refs: readonly string[],
): Promise<void> {
  for (let i = 0; i < refs.length; i += REFS_AT_ONCE) {
    const some = refs.slice(i, i + REFS_AT_ONCE);
    await ctx.run("ostree", ["refs", `--repo=${repo}`, "--delete", ...some], { isQuiet: true });
  }
}

/** What `ostree prune` removed. */
export interface Pruned {
  readonly objects: number;
  /** In ostree's own format, without that of commits unless there is nothing else. */
  readonly size: string;
}

/**
 * Removes the objects that no ref leads to, commits first. ostree alone takes them in any order: interrupted,
 * it leaves commits whose objects are missing, of which `ostree fsck` complains until the next clean-up.
 */
export async function pruneObjects(ctx: Context, repo: string): Promise<Pruned> {
  // Without a depth, ostree would keep parents, but an image's parent is an old base.
  const args = ["prune", `--repo=${repo}`, "--refs-only", "--depth=0"];
  const commits = parsePruned(await ctx.read("ostree", [...args, "--commit-only"]));
  const others = parsePruned(await ctx.read("ostree", args));
  const { size } = others.objects === 0 ? commits : others;
  return { objects: commits.objects + others.objects, size };
}

export function parsePruned(text: string): Pruned {
  const [, objects, size] = /^Deleted (\d+) objects?, (.+) freed$/m.exec(text) ?? [];
  if (objects !== undefined && size !== undefined) {
    return { objects: Number(objects), size: size.replace(/\s/g, " ") };
  }
  if (/^No unreachable objects$/m.test(text)) return { objects: 0, size: "0 bytes" };
  throw new BootcError("the output of `ostree prune` was not understood");
}

export interface CommitCheckout {
  readonly repo: string;
  readonly commit: string;
  readonly directory: string;
  readonly args: readonly string[];
}

export async function checkout(
  ctx: Context,
  { repo, commit, directory, args }: CommitCheckout,
): Promise<void> {
  const all = [`--repo=${repo}`, ...args, commit, directory];
  await ctx.read("ostree", ["checkout", ...all], { endsWithUs: true });
}
