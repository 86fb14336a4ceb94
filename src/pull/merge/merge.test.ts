import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { formatDirtree, parseDirtree, treeChecksum } from "../../ostree/dirtree.ts";
import { formatCommit, objectPath, sha256 } from "../../ostree/objects.ts";
import { scriptedContext } from "../../testing/scripted-context.ts";
import { beginMerge, type MergedTree, mergeLayers, noteReplacedLinks } from "./merge.ts";

/** Text is a file's content, an object a directory. */
interface Folder {
  readonly [name: string]: string | Folder;
}

const META = sha256(Buffer.from("meta"));
const fileSum = (content: string) => sha256(Buffer.from(`file ${content}`));

let root: string;
let repo: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "bootc-merge-"));
  repo = join(root, "repo");
});
afterEach(() => rmSync(root, { recursive: true }));

function write(checksum: string, kind: "commit" | "dirtree" | "file", bytes: string | Uint8Array) {
  const path = join(repo, objectPath(checksum, kind));
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
}

function addTree(folder: Folder): string {
  const entries = Object.entries(folder);
  const files = entries.flatMap(([name, it]) =>
    typeof it === "string" ? [{ name, checksum: fileSum(it) }] : [],
  );
  const dirs = entries.flatMap(([name, it]) =>
    typeof it === "string" ? [] : [{ name, tree: addTree(it), meta: META }],
  );
  for (const [, it] of entries) if (typeof it === "string") write(fileSum(it), "file", it);
  const bytes = formatDirtree({ files, dirs });
  write(treeChecksum(bytes), "dirtree", bytes);
  return treeChecksum(bytes);
}

/** A layer's commit. */
function addLayer(folder: Folder): string {
  const bytes = formatCommit({
    metadata: [],
    parent: undefined,
    subject: "",
    body: "",
    timestampEpoch: 0,
    rootTree: addTree(folder),
    rootMeta: META,
  });
  write(sha256(bytes), "commit", bytes);
  return sha256(bytes);
}

/** The names of a merged tree, directories with a slash at their end. */
function namesOf(merged: MergedTree): readonly string[] {
  const known = new Map(merged.newTrees);
  const load = (tree: string): readonly string[] => {
    const bytes = known.get(tree);
    // What was there before the merge is not listed.
    if (bytes === undefined) return [];
    const { files, dirs } = parseDirtree(bytes);
    return [
      ...files.map((it) => it.name),
      ...dirs.flatMap((it) => [`${it.name}/`, ...load(it.tree).map((one) => `${it.name}/${one}`)]),
    ];
  };
  return load(merged.rootTree).toSorted();
}

async function merge(layers: readonly Folder[]) {
  return await mergeLayers({ repo, derived: layers.map(addLayer) });
}

const kernel = (version: string): Folder => ({
  usr: { lib: { modules: { [version]: { vmlinuz: version } } } },
});

test("a tree that boots gets a /var to mount one over", async () => {
  const merged = await merge([kernel("6.1")]);
  expect(merged.kernels).toEqual(["6.1"]);
  expect(namesOf(merged)).toEqual(["usr/", "var/"]);
});

test.each<[what: string, layer: Folder]>([
  ["one without a kernel", { usr: { a: "1" } }],
  ["one with a directory of modules and no kernel in it", { usr: { lib: { modules: { x: {} } } } }],
  ["one that has it", { ...kernel("6.1"), var: { log: {} } }],
  ["one that has something else there", { ...kernel("6.1"), var: "a file" }],
])("%s stays as it is", async (_, layer) => {
  const merged = await merge([layer]);
  expect(merged.rootTree).toBe(addTree(layer));
  expect(merged.newTrees.size).toBe(0);
});

test("kernels of all layers are found, in order, and no directory beside them", async () => {
  const layers = [kernel("6.2"), kernel("6.10"), { usr: { lib: { modules: { config: "x" } } } }];
  expect((await merge(layers)).kernels).toEqual(["6.10", "6.2"]);
});

test("empty files that a container runtime left in /etc go, others stay", async () => {
  const etc = { hostname: "", "resolv.conf": "nameserver ::1", hosts: "" };
  const merged = await merge([{ usr: { etc } }]);
  expect(namesOf(merged)).toEqual(["usr/", "usr/etc/", "usr/etc/hosts", "usr/etc/resolv.conf"]);
});

test("whiteouts of the lowest layer hide nothing and are gone", async () => {
  expect(namesOf(await merge([{ a: "1", ".wh.b": "" }]))).toEqual(["a"]);
});

test("a higher layer lies over a lower one", async () => {
  const merged = await merge([
    { a: "1", d: { x: "1" } },
    { ".wh.a": "", d: { y: "2" } },
  ]);
  expect(namesOf(merged)).toEqual(["d/", "d/x", "d/y"]);
});

test("an image without layers is refused", async () => {
  await expect(merge([])).rejects.toMatchObject({ kind: "integrity" });
});

test("a directory that the repository lacks is its damage", async () => {
  const layer = addLayer({ usr: { d: { a: "1" } } });
  rmSync(join(repo, objectPath(addTree({ d: { a: "1" } }), "dirtree")));
  await expect(
    mergeLayers({ repo, derived: [layer, addLayer({ usr: { b: "" } })] }),
  ).rejects.toMatchObject({ kind: "integrity", hint: "run `ostree fsck` on the repository" });
});

test.each([
  ["goes on from where it was begun", true],
  ["begins anew when other layers were laid down", false],
])("a merge %s", async (_, isSame) => {
  const layers = [{ a: "1" }, { b: "2" }].map(addLayer);
  const first = isSame ? layers.slice(0, 1) : [addLayer({ other: "1" })];
  const begun = await beginMerge({ repo, derived: first });
  const merged = await mergeLayers({ repo, derived: layers }, begun);
  expect(namesOf(merged)).toEqual(["a", "b"]);
});

test("what was begun without a base cannot begin a merge with one", async () => {
  const layer = addLayer({ a: "1", ".wh.b": "" });
  const begun = await beginMerge({ repo, derived: [layer] });
  const merged = await mergeLayers({ repo, base: layer, derived: [] }, begun);
  // A base is taken as it is.
  expect(merged.rootTree).toBe(addTree({ a: "1", ".wh.b": "" }));
});

test("links that a directory replaced are named, five at most", () => {
  const names = ["a", "b", "c", "d", "e", "f", "g"];
  const { ctx, transcript } = scriptedContext(root, []);
  const note = (count: number) =>
    noteReplacedLinks(ctx, {
      replacedLinks: new Map(names.slice(0, count).map((it) => [it, `/to/${it}`])),
    } as unknown as MergedTree);
  note(0);
  note(1);
  note(7);
  expect(transcript()).toMatchInlineSnapshot(`
    "
    ! warning: layers have directories in place of symbolic links: /a (to /to/a)
    ! warning: layers have directories in place of symbolic links: /a (to /to/a), /b (to /to/b), /c (to /to/c), /d (to /to/d), /e (to /to/e) and 2 more
    "
  `);
});
