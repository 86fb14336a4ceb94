import { expect, test } from "vitest";
import { formatDirtree, parseDirtree, type TreeRef, treeChecksum } from "../../ostree/dirtree.ts";
import type { LabelledObjects } from "./objects.ts";
import { type Relabelling, relabelTree } from "./relabel.ts";

/** Text is a file as `MODE LABEL`, and an object a directory; its own is its member `.`. */
interface Folder {
  readonly [name: string]: string | Folder;
}

const trees = new Map<string, Uint8Array>();
/** Files and metadata by their checksums, as `MODE LABEL`. */
const objects = new Map<string, string>();

function addObject(text: string): string {
  const checksum = treeChecksum(Buffer.from(text));
  objects.set(checksum, text);
  return checksum;
}

function addTree({ ".": own = "d root", ...folder }: Folder): TreeRef {
  const entries = Object.entries(folder);
  const bytes = formatDirtree({
    files: entries.flatMap(([name, it]) =>
      typeof it === "string" ? [{ name, checksum: addObject(it) }] : [],
    ),
    dirs: entries.flatMap(([name, it]) =>
      typeof it === "string" ? [] : [{ name, ...addTree(it) }],
    ),
  });
  trees.set(treeChecksum(bytes), bytes);
  return { tree: treeChecksum(bytes), meta: addObject(String(own)) };
}

function readTree({ tree, meta }: TreeRef): Folder {
  const { files, dirs } = parseDirtree(trees.get(tree) ?? Buffer.alloc(0));
  return {
    ".": objects.get(meta) ?? "?",
    ...Object.fromEntries(files.map((it) => [it.name, objects.get(it.checksum) ?? "?"])),
    ...Object.fromEntries(dirs.map(({ name, ...dir }) => [name, readTree(dir)])),
  };
}

const MODES: Readonly<Record<string, number>> = { d: 0o040755, f: 0o100644, l: 0o120777 };

function labelled(checksum: string) {
  const [mode = "", label] = (objects.get(checksum) ?? "").split(" ");
  return { mode: MODES[mode] ?? 0, label: label ? Buffer.from(label) : undefined };
}

function relabelled(checksum: string, label: Buffer): string {
  return addObject(`${objects.get(checksum)?.split(" ")[0]} ${label}`);
}

const OBJECTS: LabelledObjects = {
  file: labelled,
  directory: labelled,
  relabelFile: async (checksum, label) => relabelled(checksum, label),
  relabelDirectory: relabelled,
};

/** Labels by `rules`: a path and perhaps the letter of a type. */
async function relabel(
  root: TreeRef,
  rules: Readonly<Record<string, string>>,
  more: Partial<Relabelling> = {},
) {
  const asked: string[] = [];
  const added = new Set<string>();
  const load = (checksum: string) => {
    const bytes = trees.get(checksum);
    if (bytes === undefined) throw new Error(`no tree ${checksum}`);
    return bytes;
  };
  const ref = await relabelTree(root, {
    labelOf(path, mode) {
      asked.push(path);
      const type = Object.keys(MODES).find((it) => MODES[it] === mode);
      const label = rules[`${path} ${type}`] ?? rules[path];
      return label === undefined ? undefined : Buffer.from(label);
    },
    objects: OBJECTS,
    scratch: {
      add(checksum: string, _: string, bytes: Uint8Array) {
        added.add(checksum);
        trees.set(checksum, bytes);
      },
    } as Relabelling["scratch"],
    load,
    known: undefined,
    loadKnown: load,
    signal: new AbortController().signal,
    ...more,
  });
  return { ref, asked, added };
}

const RULES = { "/": "root", "/a": "bin", "/a/x": "exec", "/b": "bin", "/b/x d": "dir" };

test("what has the right label stays, and the rest is written anew with what is above it", async () => {
  const right = { ".": "d bin", x: "f exec" };
  const root = addTree({ a: right, b: { ".": "d", x: "f exec" }, c: { ".": "d c", y: "l" } });
  const { ref, added } = await relabel(root, RULES);
  expect(readTree(ref)).toEqual({
    ".": "d root",
    a: right,
    b: { ".": "d bin", x: "f exec" },
    c: { ".": "d c", y: "l" },
  });
  // Only the metadata of `b` has changed.
  expect([...added]).toEqual([ref.tree]);
  expect((await relabel(ref, RULES)).ref).toEqual(ref);
});

test("the same directory is labelled by each of its paths", async () => {
  const same = { ".": "d bin", x: "f exec" };
  const { ref } = await relabel(addTree({ a: same, b: same, c: same }), {
    ...RULES,
    "/b/x f": "other",
  });
  expect(readTree(ref)).toMatchObject({ a: same, b: { x: "f other" }, c: same });
});

test("nothing is asked about what a labelled tree has at the same path", async () => {
  const system = { a: { ".": "d bin", x: "f exec" }, b: { ".": "d bin" }, z: "f exec" };
  const known = addTree(system);
  const moved = { ".": "d bin", x: "f exec" };
  const root = addTree({ ...system, b: { ".": "d bin", n: "f" }, c: moved, z: "l exec" });
  const { asked } = await relabel(root, RULES, { known });
  expect(asked).toEqual(["/z", "/b/n", "/c", "/c/x"]);
  expect((await relabel(known, RULES, { known })).asked).toEqual([]);
});

test("a labelled tree that is not there any more does no harm", async () => {
  const root = addTree({ a: { ".": "d bin", x: "f" } });
  const known = { tree: "0".repeat(64), meta: "1".repeat(64) };
  const { ref } = await relabel(root, RULES, { known, loadKnown: () => undefined });
  expect(readTree(ref)).toMatchObject({ a: { x: "f exec" } });
});

test("Ctrl-C ends it", async () => {
  const root = addTree({ a: { x: "f" }, b: { x: "f" } });
  const slowly = (path: string) => {
    for (const end = performance.now() + 25; performance.now() < end; );
    return Buffer.from(path);
  };
  const signal = AbortSignal.abort(new Error("interrupted"));
  await expect(relabel(root, RULES, { labelOf: slowly, signal })).rejects.toThrow("interrupted");
});
