import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { formatHeader, type NewHeader, paddingOf, writeChecksum } from "../../tar/header.ts";
import { readTar } from "../../tar/reader.ts";
import type { LayerEntry } from "../store/sink.ts";
import { derivedEntries, newDerivedLayer } from "./derived.ts";
import { createSpool, type Spool } from "./spool.ts";

let top: string;
let spool: Spool;
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), "derived-"));
  spool = createSpool(join(top, "spool"));
});
afterEach(() => {
  spool.close();
  rmSync(top, { recursive: true, force: true });
});

interface Options extends Partial<Omit<NewHeader, "records">> {
  readonly content?: string;
  readonly records?: Readonly<Record<string, string>>;
  readonly mtimeEpoch?: number;
  readonly flag?: string;
}

function entry(name: string, { content = "", records = {}, ...more }: Options = {}): Buffer {
  const nothing = { linkName: "", mode: 0o644, uid: 0, gid: 0, sizeBytes: content.length };
  const blocks = formatHeader({
    ...{ ...nothing, type: "file", name, ...more },
    records: Object.entries(records).map(([key, value]) => [key, Buffer.from(value)]),
  });
  const block = blocks.subarray(-512);
  if (more.flag !== undefined) block.write(more.flag, 156, "latin1");
  block.write((more.mtimeEpoch ?? 0).toString(8).padStart(11, "0"), 136, "latin1");
  writeChecksum(block);
  const padding = Buffer.alloc(paddingOf(content.length));
  return Buffer.concat([blocks, Buffer.from(content), padding]);
}

async function* piecesOf(tar: Buffer): AsyncGenerator<Buffer> {
  yield tar;
}

type Shown = readonly [type: string, path: string, what: string];

/** The layer's entries with their content, or where they lead. */
async function imported(
  parts: readonly Buffer[],
  { isLabelled = false, allowsNonUsr = true } = {},
): Promise<{ entries: LayerEntry[]; shown: Shown[] }> {
  const filter = { allowsNonUsr, retainsVar: true };
  const layer = newDerivedLayer({ repo: top, filter, isLabelled, spool });
  const items = readTar(piecesOf(Buffer.concat(parts)), { needsEndMarker: false });
  const entries: LayerEntry[] = [];
  const shown: Shown[] = [];
  for await (const it of derivedEntries(layer, items)) {
    const pieces: Buffer[] = [];
    for await (const piece of it.content) pieces.push(piece);
    entries.push(it);
    shown.push([it.type, it.path, it.linkTarget || Buffer.concat(pieces).toString()]);
  }
  return { entries, shown };
}

test("entries are placed, and content goes with them", async () => {
  const { shown } = await imported([
    entry("./", { type: "directory" }),
    entry("etc/passwd", { content: "root" }),
    entry("usr/lib/x", { type: "symlink", linkName: "/usr/./y" }),
    entry("etc/again", { type: "hardlink", linkName: "./etc/passwd" }),
  ]);
  expect(shown).toEqual([
    ["directory", "", ""],
    ["file", "usr/etc/passwd", "root"],
    ["symlink", "usr/lib/x", "/usr/./y"],
    ["hardlink", "usr/etc/again", "usr/etc/passwd"],
  ]);
});

test("the holes of a sparse file come as zeros", async () => {
  const records = {
    "GNU.sparse.size": "9",
    "GNU.sparse.numblocks": "1",
    "GNU.sparse.map": "2,3",
  };
  const { shown } = await imported([entry("usr/x", { records, content: "abc" }), entry("usr/y")]);
  expect(shown).toEqual([
    ["file", "usr/x", "\0\0abc\0\0\0\0"],
    ["file", "usr/y", ""],
  ]);
});

test("a hole for which the file system has no room is refused before it is written", async () => {
  const records = {
    "GNU.sparse.size": String(2 ** 49),
    "GNU.sparse.numblocks": "1",
    "GNU.sparse.map": "0,3",
  };
  const tar = [entry("usr/x", { records, content: "abc" })];
  await expect(imported(tar)).rejects.toMatchObject({ kind: "space" });
});

describe("a changed object of the repository", () => {
  const OBJECT = "sysroot/ostree/repo/objects/aa/bb.file";
  const link = (name: string) => entry(name, { type: "hardlink", linkName: OBJECT });

  test("becomes its first link, to which the others lead", async () => {
    const changed = entry(OBJECT, { content: "changed", mtimeEpoch: 1, mode: 0o755 });
    const { shown, entries } = await imported([changed, link("usr/x"), link("usr/y")]);
    expect(shown).toEqual([
      ["file", "usr/x", "changed"],
      ["hardlink", "usr/y", "usr/x"],
    ]);
    expect(entries[0]).toMatchObject({ mode: 0o755, sizeBytes: 7 });
  });

  test("is nothing without a link", async () => {
    const changed = entry(OBJECT, { content: "changed", mtimeEpoch: 1 });
    expect((await imported([changed])).shown).toEqual([]);
  });

  test("an unchanged one, and links to it, are the base's", async () => {
    const parts = [entry(OBJECT, { content: "same" }), link("usr/x")];
    expect((await imported(parts, { allowsNonUsr: false })).shown).toEqual([]);
  });
});

test("whiteouts wait until it is known what their directory is", async () => {
  const { shown } = await imported([
    entry("usr/a/.wh.x"),
    entry("usr/b/.wh.x"),
    entry("usr/a", { type: "symlink", linkName: "c" }),
    entry("usr/b/y", { content: "y" }),
    entry("usr/d/.wh.x"),
  ]);
  expect(shown).toEqual([
    ["symlink", "usr/a", "c"],
    ["file", "usr/b/.wh.x", ""],
    ["file", "usr/b/y", "y"],
    ["file", "usr/d/.wh.x", ""],
  ]);
});

test("special files leave whiteouts, and links to them as well", async () => {
  const { shown } = await imported([
    entry("usr/", { type: "directory" }),
    entry("usr/fifo", { flag: "6" }),
    entry("usr/link", { type: "hardlink", linkName: "usr/fifo" }),
  ]);
  expect(shown).toEqual([
    ["directory", "usr", ""],
    ["file", "usr/.wh.fifo", ""],
    ["file", "usr/.wh.link", ""],
  ]);
});

test.each([
  ["a hard link to nothing", [entry("usr/x", { type: "hardlink", linkName: "usr/y" })]],
  ["a root that is a file", [entry("./", { type: "symlink", linkName: "usr" })]],
  ["a symbolic link to nothing", [entry("usr/x", { type: "symlink" })]],
])("refused: %s", async (_, parts) => {
  await expect(imported(parts)).rejects.toMatchObject({ kind: "integrity" });
});

test.each([
  ["RHT.security.selinux", true],
  ["RHT.security.selinux", false],
  ["SCHILY.xattr.security.selinux", true],
  ["SCHILY.xattr.security.selinux", false],
])("a label in `%s` where ostree labels is left out: %s", async (key, isLabelled) => {
  const label = "system_u:object_r:bin_t:s0";
  const { entries } = await imported([entry("usr/x", { records: { [key]: label } })], {
    isLabelled,
  });
  const xattrs = isLabelled ? [] : [{ name: "security.selinux", value: Buffer.from(label) }];
  expect(entries).toMatchObject([{ path: "usr/x", xattrs }]);
  expect(entries[0]?.xattrs).toHaveLength(xattrs.length);
});
