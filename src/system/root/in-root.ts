// Resolves paths inside a tree that is another system's root: its links never lead outside.
import { join } from "node:path";
import { BootcError } from "../../errors.ts";
import { readLinkIfAny } from "../files.ts";

/** Linux follows this many links in a row. */
const LINKS_MAX = 40;

/** Reads a link in a tree; undefined for anything else. The path is relative to the tree's root. */
export type ReadLink = (path: string) => Promise<string | undefined>;

/** Where `path` leads if `root` is `/`, with all links resolved. The last component may be missing. */
export async function resolveInRoot(root: string, path: string): Promise<string> {
  return join(root, await resolveInTree(path, (it) => readLinkIfAny(join(root, it))));
}

/** The same for any tree whose links can be read; the result is relative to its root. */
export async function resolveInTree(path: string, readLink: ReadLink): Promise<string> {
  const left = partsOf(path);
  let done: readonly string[] = [];
  let links = 0;
  for (let part = left.shift(); part !== undefined; part = left.shift()) {
    if (part === "..") {
      done = done.slice(0, -1);
      continue;
    }
    const target = await readLink(join(...done, part));
    if (target === undefined) {
      done = [...done, part];
      continue;
    }
    links += 1;
    if (links > LINKS_MAX) throw new BootcError(`\`${path}\` has too many links`);
    if (target.startsWith("/")) done = [];
    left.unshift(...partsOf(target));
  }
  return join(...done);
}

function partsOf(path: string): string[] {
  return path.split("/").filter((it) => it !== "" && it !== ".");
}
