import { expect, test } from "vitest";
import { formatDirtree, type TreeRef, treeChecksum } from "../../ostree/dirtree.ts";
import { applyLayer, closeTree, openTree, type ReplacedLinks, type TreeStore } from "./trees.ts";

/** A directory as an object: text is a file (`-> x` a link), an object a directory, `meta` its metadata. */
interface Folder {
  readonly [name: string]: string | Folder;
}

const sum = (text: string) => treeChecksum(Buffer.from(text));

function createStore() {
  const objects = new Map<string, Uint8Array>();
  const loaded: string[] = [];
  const links = new Map<string, string>();
  const store: TreeStore = {
    load(checksum) {
      loaded.push(checksum);
      const bytes = objects.get(checksum);
      if (bytes === undefined) throw new Error(`no object ${checksum}`);
      return bytes;
    },
    store: (checksum, bytes) => void objects.set(checksum, bytes),
    linkTarget: (checksum) => links.get(checksum),
  };
  function write({ meta = "0", ...content }: Folder): TreeRef {
    const entries = Object.entries(content);
    for (const [, it] of entries) {
      if (typeof it === "string" && it.startsWith("-> ")) links.set(sum(it), it.slice(3));
    }
    const files = entries.flatMap(([name, it]) =>
      typeof it === "string" ? [{ name, checksum: sum(it) }] : [],
    );
    const dirs = entries.flatMap(([name, it]) =>
      typeof it === "string" ? [] : [{ name, ...write(it) }],
    );
    const bytes = formatDirtree({ files, dirs });
    store.store(treeChecksum(bytes), bytes);
    return { tree: treeChecksum(bytes), meta: sum(meta as string) };
  }
  return { store, write, loaded };
}

function merge(base: Folder, ...layers: readonly Folder[]) {
  const { store, write } = createStore();
  const root = openTree(write(base), store);
  const replaced: ReplacedLinks = new Map();
  for (const layer of layers) applyLayer(root, write(layer), { store, replaced });
  return { ...closeTree(root, store), replaced: Object.fromEntries(replaced) };
}

const tree = (folder: Folder) => createStore().write(folder);

test.each<[string, Folder, Folder, Folder]>([
  ["adds and replaces files", { a: "1", b: "1" }, { b: "2", c: "2" }, { a: "1", b: "2", c: "2" }],
  [
    "keeps a directory's own metadata",
    { d: { meta: "x", f: "1" } },
    { d: { meta: "y" } },
    { d: { meta: "x", f: "1" } },
  ],
  ["replaces a directory by a file", { d: { f: "1" } }, { d: "2" }, { d: "2" }],
  [
    "replaces a file by a directory",
    { d: "1" },
    { d: { meta: "y", f: "2" } },
    { d: { meta: "y", f: "2" } },
  ],
  [
    "removes what is whited out",
    { a: "1", d: { f: "1" }, e: "1" },
    { ".wh.a": "", ".wh.d": "" },
    { e: "1" },
  ],
  ["lets a file survive behind its whiteout", { a: "1" }, { ".wh.a": "", a: "2" }, { a: "2" }],
  ["loses a name that sorts before its whiteout", { "-a": "1" }, { ".wh.-a": "", "-a": "2" }, {}],
  [
    "takes a symbolic link for no whiteout",
    { a: "1", d: { b: "1" } },
    { ".wh.a": "-> x", d: { ".wh.b": "-> x" }, e: { ".wh.c": "-> x" } },
    { ".wh.a": "-> x", a: "1", d: { ".wh.b": "-> x", b: "1" }, e: { ".wh.c": "-> x" } },
  ],
  [
    "recreates a whited out directory",
    { d: { f: "1" } },
    { ".wh.d": "", d: { meta: "y", g: "2" } },
    { d: { meta: "y", g: "2" } },
  ],
  [
    "empties an opaque directory",
    { d: { meta: "x", f: "1" } },
    { d: { meta: "y", ".wh..wh..opq": "", g: "2" } },
    { d: { meta: "y", g: "2" } },
  ],
  [
    "removes markers from new directories",
    {},
    { d: { e: { ".wh.x": "", f: "1" } } },
    { d: { e: { f: "1" } } },
  ],
])("%s", (_, base, layer, want) => {
  expect(merge(base, layer)).toMatchObject(tree(want));
});

/** A system whose programs and libraries are all in /usr; where `/sbin` leads is a link itself. */
const MERGED_USR: Folder = {
  bin: "-> usr/bin",
  lib: "-> usr/lib",
  lib64: "-> /usr/lib64",
  sbin: "-> ./usr/sbin",
  usr: { meta: "u", bin: { a: "1" }, lib: { a: "1" }, lib64: { a: "1" }, sbin: "-> bin" },
};

test.each<[string, Folder, Folder]>([
  ["a file", { lib: { b: "2" } }, { lib: { a: "1", b: "2" } }],
  ["an absolute link", { lib64: { b: "2" } }, { lib64: { a: "1", b: "2" } }],
  ["a link to a link", { sbin: { b: "2" } }, { bin: { a: "1", b: "2" } }],
  ["a whiteout", { bin: { ".wh.a": "" } }, { bin: {} }],
  [
    "what comes with the same layer",
    { bin: { b: "2" }, usr: { bin: { ".wh..wh..opq": "", c: "2" } } },
    { bin: { b: "2", c: "2" } },
  ],
])("a link of the merged /usr is followed: %s", (_, layer, usr) => {
  const merged = merge(MERGED_USR, layer);
  const wanted = { ...MERGED_USR, usr: { ...(MERGED_USR.usr as Folder), ...usr } };
  expect(merged.tree).toBe(tree(wanted).tree);
  expect(merged.replaced).toEqual({});
});

/** `lib` through a chain of so many links, the last of which leads to `d`. */
function chainOf(links: number): Folder {
  const names = Array.from({ length: links - 1 }, (_, i) => `l${i}`);
  const targets = [...names, "d"];
  return {
    ...Object.fromEntries(["lib", ...names].map((it, i) => [it, `-> ${targets[i]}`])),
    d: { a: "1" },
  };
}

test.each<[string, Folder, Folder]>([
  ["up and down again", { lib: "-> d/../d", d: { a: "1" } }, { d: { a: "1", b: "2" } }],
  ["up from the root", { lib: "-> ../../d", d: { a: "1" } }, { d: { a: "1", b: "2" } }],
  [
    "up from where another link leads",
    { lib: "-> x/../d", x: "-> e/f", e: { f: {}, d: {} }, d: {} },
    { e: { f: {}, d: { b: "2" } } },
  ],
  [
    "from the root again",
    { lib: "-> e/x", e: { x: "-> /d", d: {} }, d: { a: "1" } },
    { d: { a: "1", b: "2" } },
  ],
  ["through forty links", chainOf(40), { d: { a: "1", b: "2" } }],
])("a link of the merged /usr leads as a kernel sees it: %s", (_, base, changed) => {
  const merged = merge(base, { lib: { b: "2" } });
  expect(merged.tree).toBe(tree({ ...base, ...changed }).tree);
  expect(merged.replaced).toEqual({});
});

test("through more links than a kernel follows, nothing is reached", () => {
  const merged = merge(chainOf(41), { lib: { b: "2" } });
  expect(merged.tree).toBe(tree({ ...chainOf(41), lib: { b: "2" } }).tree);
  expect(merged.replaced).toEqual({ lib: "l0" });
});

test.each<[string, Folder, Folder, Record<string, string>]>([
  ["another name", { opt: "-> var/opt", var: { opt: {} } }, { opt: {} }, { opt: "/var/opt" }],
  ["further down", { usr: { lib: "-> x", x: {} } }, { usr: { lib: {} } }, { "usr/lib": "/usr/x" }],
  ["a link to nothing", { lib: "-> usr/lib", usr: {} }, { lib: {} }, { lib: "/usr/lib" }],
  ["a link to a file", { lib: "-> usr", usr: "1" }, { lib: {} }, { lib: "/usr" }],
  ["a link through nothing", { lib: "-> x/../usr", usr: {} }, { lib: {} }, { lib: "/usr" }],
  ["a link to itself", { lib: "-> lib" }, { lib: {} }, { lib: "lib" }],
  [
    "a directory that hides what was there",
    { lib: "-> usr", usr: { a: "1" } },
    { lib: { ".wh..wh..opq": "" } },
    { lib: "/usr" },
  ],
  ["a link that the layer removes", { lib: "-> usr", usr: {} }, { ".wh.lib": "", lib: {} }, {}],
])("a link gives way to a directory, and is noted: %s", (_, base, layer, replaced) => {
  const merged = merge(base, layer);
  const at = Object.keys(replaced)[0] ?? "lib";
  const wanted = at === "usr/lib" ? { usr: { lib: {}, x: {} } } : { ...base, [at]: {} };
  expect(merged.tree).toBe(tree(wanted).tree);
  expect(merged.replaced).toEqual(replaced);
});

test.each<[string, Folder, string]>([
  ["slashes and dots", { opt: "-> //var/./opt/../opt/", var: { opt: {} } }, "/var/opt"],
  ["a chain of links", { opt: "-> a", a: "-> //b", b: "-> var/opt", var: { opt: {} } }, "/var/opt"],
  ["a link on the way", { opt: "-> v/opt", v: "-> /var", var: { opt: {} } }, "/var/opt"],
  ["something missing on the way", { opt: "-> a/b", a: "-> var", var: {} }, "/var/b"],
  ["what is above the root", { opt: "-> ../../var" }, "/var"],
])("a link that gives way is noted with the place it leads to: %s", (_, base, want) => {
  expect(merge(base, { opt: { f: "1" } }).replaced).toEqual({ opt: want });
});

test("a link below a followed one is noted by its real path", () => {
  const base = { lib: "-> //usr/lib", usr: { lib: { x: "-> ../y" }, y: {} } };
  expect(merge(base, { lib: { x: {} } }).replaced).toEqual({ "usr/lib/x": "/usr/y" });
});

test("a whiteout of no name is refused", () => {
  expect(() => merge({}, { ".wh.": "" })).toThrow("names no file");
});

test("directories no layer touches are not read", () => {
  const { store, write, loaded } = createStore();
  const untouched = write({ f: "1" });
  const root = openTree(write({ untouched: { f: "1" }, touched: { g: "1" } }), store);
  applyLayer(root, write({ touched: { g: "2" } }), { store, replaced: new Map() });
  expect(closeTree(root, store).tree).toBe(
    tree({ untouched: { f: "1" }, touched: { g: "2" } }).tree,
  );
  expect(loaded).not.toContain(untouched.tree);
});
