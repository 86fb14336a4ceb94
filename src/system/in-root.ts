// Paths inside a tree that will be the root of another system: its links lead nowhere outside.
import { join } from "node:path";
import { BootcError } from "../errors.ts";
import { readLinkIfAny } from "./optional-file.ts";

/** As many links in a row as Linux follows. */
const LINKS_MAX = 40;

/** The path of `path` in `root`, every link resolved as if `root` were `/`. The last part may be missing. */
export async function resolveInRoot(root: string, path: string): Promise<string> {
  const left = partsOf(path);
  let done: readonly string[] = [];
  let links = 0;
  for (let part = left.shift(); part !== undefined; part = left.shift()) {
    if (part === "..") {
      done = done.slice(0, -1);
      continue;
    }
    const target = await readLinkIfAny(join(root, ...done, part));
    if (target === undefined) {
      done = [...done, part];
      continue;
    }
    links += 1;
    if (links > LINKS_MAX) throw new BootcError(`\`${path}\` has too many links`);
    if (target.startsWith("/")) done = [];
    left.unshift(...partsOf(target));
  }
  return join(root, ...done);
}

function partsOf(path: string): string[] {
  return path.split("/").filter((it) => it !== "" && it !== ".");
}
