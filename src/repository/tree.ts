// The tree of a commit, read as the system deployed from it will see it: names, links and texts.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { BootcError } from "../errors.ts";
import { parseDirtree } from "../ostree/dirtree.ts";
import { objectPath } from "../ostree/objects.ts";
import { readCommitFile } from "../programs/ostree/repo.ts";
import type { Context } from "../system/context.ts";
import { resolveInTree } from "../system/in-root.ts";
import { findInTree, readFileSize, requireCommit } from "./files.ts";

export interface CommittedTree {
  /** The names in a directory, sorted; none when there is no such directory. */
  readNames(path: string): Promise<readonly string[]>;
  /** Where a symbolic link points; undefined for anything else. */
  readLink(path: string): Promise<string | undefined>;
  /** The text of a file, every link on the way followed inside the tree. */
  readText(path: string): Promise<string>;
}

/** Paths are relative to the root. A commit keeps `/etc` in `usr/etc`; here it is found under both names. */
export async function openCommit(
  ctx: Context,
  repo: string,
  commit: string,
): Promise<CommittedTree> {
  const { rootTree } = await requireCommit(repo, commit);
  const find = (path: string) => findInTree(repo, rootTree, path);
  const readLink = async (path: string) => {
    const entry = await find(path);
    if (entry === undefined) return path === "etc" ? "usr/etc" : undefined;
    if (entry.kind !== "file") return undefined;
    if ((await readFileSize(repo, entry.checksum)) !== undefined) return undefined;
    const listing = await ctx.read("ostree", ["ls", `--repo=${repo}`, commit, `/${path}`]);
    const mark = ` /${path} -> `;
    const at = listing.indexOf(mark);
    if (at < 0) throw new BootcError(`\`ostree ls\` does not say where \`/${path}\` points`);
    return listing.slice(at + mark.length).replace(/\n$/, "");
  };
  const resolve = (path: string) => resolveInTree(path, readLink);
  return {
    readLink,
    async readNames(path) {
      const entry = await find(await resolve(path));
      if (entry?.kind !== "directory") return [];
      const bytes = await readFile(join(repo, objectPath(entry.tree, "dirtree")));
      const { files, dirs } = parseDirtree(bytes);
      return [...files, ...dirs].map((it) => it.name).sort();
    },
    async readText(path) {
      const real = await resolve(path);
      if ((await find(real))?.kind === "file") {
        return await readCommitFile(ctx, repo, { commit, path: real });
      }
      throw new BootcError(`\`/${real}\`: there is no such file in the image`);
    },
  };
}
