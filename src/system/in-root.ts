// Paths inside a tree that will be the root of another system: its links lead nowhere outside.
import { join } from "node:path";
import { BootcError } from "../errors.ts";
import { readLinkIfAny } from "./files.ts";

/** As many links in a row as Linux follows. */
const LINKS_MAX = 40;

/** Where a link of a tree points; undefined for anything else. The path is relative to the tree's root. */
export type ReadLink = (path: string) => Promise<string | undefined>;

/** The path of `path` in `root`, every link resolved as if `root` were `/`. The last part may be missing. */
export async function resolveInRoot(root: string, path: string): Promise<string> {
  return join(root, await resolveInTree(path, (it) => readLinkIfAny(join(root, it))));
}

/** The same in any tree whose links can be read; the answer is relative to its root. */
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
