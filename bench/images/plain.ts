// A system's tree as plain layers, each of which repeats all directories, as some builders write them.
import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { dir, file, makeTar, symlink, type TestEntry } from "../../tests/repo/images/tar-writer.ts";

/** One tar a layer, from layer 1; `layerOf` says where a file or link below `root` belongs. */
export function* plainTars(
  root: string,
  layerCount: number,
  layerOf: (path: string) => number,
): Generator<Buffer> {
  const paths = walk(root, "").filter((path) => !path.startsWith("usr/etc/selinux"));
  const isFolder = (path: string) => lstatSync(join(root, path)).isDirectory();
  const folders = new Set(paths.filter(isFolder));
  for (let layer = 1; layer <= layerCount; layer++) {
    const inLayer = paths.filter((path) => folders.has(path) || layerOf(path) === layer);
    yield makeTar(inLayer.map((path) => entryOf(root, path)));
  }
}

/** Every path below `folder`, each folder before what is in it. */
function walk(root: string, folder: string): readonly string[] {
  const found = readdirSync(join(root, folder), { withFileTypes: true });
  return found
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? [path, ...walk(root, path)] : [path];
    });
}

function entryOf(root: string, path: string): TestEntry {
  const from = join(root, path);
  const stat = lstatSync(from);
  const { uid, gid } = stat;
  const owned = { uid, gid, mtime: 0 };
  // A container image has the configuration where the running system has it.
  const name = path.replace(/^usr\/etc(?=\/|$)/, "etc");
  const mode = stat.mode & 0o7777;
  if (stat.isDirectory()) return dir(name, { ...owned, mode });
  if (stat.isSymbolicLink()) return symlink(name, readlinkSync(from), owned);
  return file(name, readFileSync(from), { ...owned, mode });
}
