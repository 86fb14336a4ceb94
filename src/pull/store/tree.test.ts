import { expect, test } from "vitest";
import { parseDirtree } from "../../ostree/dirtree.ts";
import { parseDirmeta } from "../../ostree/objects.ts";
import { createLayerTree, type LayerTree } from "./tree.ts";

const OWNER = { uid: 1, gid: 2 };

/** The tree as lines: directories with mode and owner, files with what their checksum is said to be. */
function linesOf(tree: LayerTree): readonly string[] {
  const objects = new Map<string, Uint8Array>();
  const root = tree.finish((checksum, _, bytes) => objects.set(checksum, bytes));
  const lines: string[] = [];
  const walk = (path: string, { tree, meta }: { tree: string; meta: string }) => {
    const { mode, uid, gid } = parseDirmeta(objects.get(meta) ?? Buffer.alloc(0));
    lines.push(`${path}/ ${mode.toString(8)} ${uid} ${gid}`);
    const { files, dirs } = parseDirtree(objects.get(tree) ?? Buffer.alloc(1));
    for (const { name, checksum } of files) lines.push(`${path}/${name} ${checksum.slice(0, 2)}`);
    for (const dir of dirs) walk(`${path}/${dir.name}`, dir);
  };
  walk("", root);
  return lines;
}

const A = "aa".repeat(32);
const B = "bb".repeat(32);

test("nothing at all is an empty root", () => {
  expect(linesOf(createLayerTree())).toEqual(["/ 40755 0 0"]);
});

test("a missing parent is made of the entry's owner, and so is everything above it", () => {
  const tree = createLayerTree();
  tree.addDirectory("", { uid: 0, gid: 0, mode: 0o40700, xattrs: [] });
  tree.addDirectory("a", { uid: 0, gid: 0, mode: 0o40711, xattrs: [] });
  tree.addFile("a/x", OWNER, A);
  expect(linesOf(tree)).toEqual(["/ 40700 0 0", "/a/ 40711 0 0", "/a/x aa"]);
  tree.addFile("a/b/y", OWNER, B);
  expect(linesOf(tree)).toEqual([
    ...["/ 40755 1 2", "/a/ 40755 1 2", "/a/x aa"],
    ...["/a/b/ 40755 1 2", "/a/b/y bb"],
  ]);
});

test("hard links are what their targets are in the end", () => {
  const tree = createLayerTree();
  tree.addHardLink("link", OWNER, "file");
  tree.addHardLink("second", OWNER, "link");
  tree.addFile("file", OWNER, A);
  tree.addFile("file", OWNER, B);
  tree.addFile("link", OWNER, A);
  expect(linesOf(tree)).toEqual(["/ 40755 0 0", "/file bb", "/link bb", "/second bb"]);
});

test("a hard link to nothing is refused", () => {
  const tree = createLayerTree();
  tree.addHardLink("link", OWNER, "file");
  expect(() => linesOf(tree)).toThrow("the hard link `link` to `file`");
});

test("every directory gets the label of its path, also one without an entry", () => {
  const asked: string[] = [];
  const tree = createLayerTree((path, mode) => {
    asked.push(`${path} ${mode.toString(8)}`);
    return path === "/a/none" ? undefined : Buffer.from(`of ${path}\0`);
  });
  const old = { name: "security.selinux", value: Buffer.from("old") };
  const other = { name: "user.a", value: Buffer.from("1") };
  tree.addDirectory("a/none", { uid: 0, gid: 0, mode: 0o40700, xattrs: [old, other] });
  tree.addFile("a/made/x", OWNER, A);
  const objects = new Map<string, Buffer>();
  const root = tree.finish((checksum, _, bytes) => objects.set(checksum, Buffer.from(bytes)));
  expect(asked.sort()).toEqual(["/ 40755", "/a 40755", "/a/made 40755", "/a/none 40700"]);
  const labelOf = (meta: string) =>
    parseDirmeta(objects.get(meta) ?? Buffer.alloc(0)).xattrs.map(
      ({ name, value }) => `${name}=${Buffer.from(value).toString()}`,
    );
  expect(labelOf(root.meta)).toEqual(["security.selinux=of /\0"]);
  const [a] = parseDirtree(objects.get(root.tree) ?? Buffer.alloc(1)).dirs;
  const { dirs } = parseDirtree(objects.get(a?.tree ?? "") ?? Buffer.alloc(1));
  expect(dirs.map(({ meta }) => labelOf(meta))).toEqual([
    ["security.selinux=of /a/made\0"],
    ["user.a=1"],
  ]);
});
