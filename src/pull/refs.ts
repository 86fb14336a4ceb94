// The refs of a repository, read from its files: faster than asking, and possible while others write.
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf } from "../errors.ts";

/** The commit a local ref names; undefined when there is no such ref. */
export async function readRef(repo: string, ref: string): Promise<string | undefined> {
  try {
    return (await readFile(join(repo, "refs/heads", ref), "utf8")).trim();
  } catch (error) {
    // A ref may be missing because a shorter one stands where its directory would.
    if (["ENOENT", "ENOTDIR", "EISDIR"].includes(errnoOf(error) ?? "")) return undefined;
    throw error;
  }
}

/** The full names of all local refs below `prefix`, sorted. */
export async function listRefs(repo: string, prefix: string): Promise<readonly string[]> {
  try {
    const options = { recursive: true, withFileTypes: true } as const;
    const top = join(repo, "refs/heads");
    const entries = await readdir(join(top, prefix), options);
    return entries
      .filter((it) => it.isFile() || it.isSymbolicLink())
      .map((it) => join(it.parentPath, it.name).slice(top.length + 1))
      .sort();
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(errnoOf(error) ?? "")) return [];
    throw error;
  }
}
