// A tree of files that is the root of a system, or will be: its links never lead outside.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { ifNoFile, readLinkIfAny, readNamesIfAny } from "./files.ts";
import { resolveInRoot } from "./in-root.ts";

/** Paths are relative to the root. */
export interface FileTree {
  /** The names in a directory, sorted; none when there is no such directory. */
  readNames(path: string): Promise<readonly string[]>;
  /** Where a symbolic link points; undefined for anything else. */
  readLink(path: string): Promise<string | undefined>;
  /** The text of a file, every link on the way followed inside the tree. */
  readText(path: string): Promise<string>;
  /** The same; undefined for a directory, and where there is nothing. */
  readTextIfAny(path: string): Promise<string | undefined>;
}

/** The tree below the directory `root`. */
export function openDirectory(root: string): FileTree {
  return {
    readNames: async (path) => await readNamesIfAny(await resolveInRoot(root, path)),
    readLink: (path) => readLinkIfAny(join(root, path)),
    readText: async (path) => await readFile(await resolveInRoot(root, path), "utf8"),
    async readTextIfAny(path) {
      const real = await resolveInRoot(root, path);
      return await readFile(real, "utf8").catch(ifNoFile(undefined));
    },
  };
}
