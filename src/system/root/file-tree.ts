// A tree of files that is the root of a system, or will be: its links never lead outside.
import { join } from "node:path";
import { BootcError } from "../../errors.ts";
import { ifMissing, readLinkIfAny, readNamesIfAny, readRegularFile } from "../files.ts";
import { resolveInRoot } from "./in-root.ts";

/** Paths are relative to the root. */
export interface FileTree {
  /** The names in a directory, sorted; none when there is no such directory. */
  readNames(path: string): Promise<readonly string[]>;
  /** Where a symbolic link points; undefined for anything else. */
  readLink(path: string): Promise<string | undefined>;
  /** The text of a file, every link on the way followed inside the tree. */
  readText(path: string): Promise<string>;
  /** The same; undefined for anything that is not a file, and where there is nothing. */
  readTextIfAny(path: string): Promise<string | undefined>;
}

/** The tree below the directory `root`. */
export function openDirectory(root: string): FileTree {
  return {
    readNames: async (path) => await readNamesIfAny(await resolveInRoot(root, path)),
    readLink: (path) => readLinkIfAny(join(root, path)),
    async readText(path) {
      const text = await readRegularFile(await resolveInRoot(root, path));
      if (text === undefined) throw new BootcError(`\`/${path}\` is not a file`);
      return text;
    },
    async readTextIfAny(path) {
      return await readRegularFile(await resolveInRoot(root, path)).catch(ifMissing(undefined));
    },
  };
}
