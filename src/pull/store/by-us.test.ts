import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openLibc } from "../../native/libc.ts";
import { parseDirtree } from "../../ostree/dirtree.ts";
import { formatFileHeader, parseCommit, sha256 } from "../../ostree/objects.ts";
import { createScratch, type Scratch } from "../../repository/scratch.ts";
import { createOwnSink } from "./by-us.ts";
import { type LayerEntry, NO_CONTENT } from "./sink.ts";
import { createObjectWriter, type ObjectWriter } from "./write-objects.ts";

let top: string;
let scratch: Scratch;
let objects: ObjectWriter;
beforeEach(async () => {
  top = mkdtempSync(join(tmpdir(), "own-"));
  scratch = await createScratch(top, "bare");
  objects = createObjectWriter({ scratch, shared: top, reserveBytes: 0 });
});
afterEach(() => rmSync(top, { recursive: true, force: true }));

const OWNER = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
const FILE: LayerEntry = {
  ...{ type: "file", path: "usr/x", ...OWNER, mode: 0o644, xattrs: [] },
  ...{ sizeBytes: 0, linkTarget: "", content: NO_CONTENT },
};

async function* stream(entries: readonly LayerEntry[]): AsyncGenerator<LayerEntry> {
  yield* entries;
}

function commit(entries: AsyncIterable<LayerEntry>, signal = new AbortController().signal) {
  const slot = { scratch, objects, publish: async () => {} };
  const sink = createOwnSink({ env: { SOURCE_DATE_EPOCH: "7" }, signal }, slot, "sha256:a");
  return sink.commit(entries, { metadata: { key: "text" } });
}

function fileOf(content: Buffer): Buffer {
  const header = { ...OWNER, mode: 0o100644, symlinkTarget: "", xattrs: [] };
  const checksum = sha256(formatFileHeader(header), content);
  return readFileSync(scratch.pathOf(checksum, "file"));
}

/** Files written beside their objects, whose names are not known yet. */
function unnamed(): readonly string[] {
  return readdirSync(scratch.top).filter((it) => it.startsWith("large-"));
}

test("content of every size becomes objects, and the commit says when and what", async () => {
  const small = Buffer.from("small");
  const large = Buffer.alloc(200_000, "large");
  const checksum = await commit(
    stream([
      { ...FILE, type: "directory", path: "usr" },
      { ...FILE, path: "usr/small", sizeBytes: small.length, content: [small] },
      {
        ...{ ...FILE, path: "usr/large", sizeBytes: large.length },
        content: [large.subarray(0, 70_000), large.subarray(70_000)],
      },
      { ...FILE, type: "hardlink", path: "usr/again", linkTarget: "usr/small" },
    ]),
  );
  expect(fileOf(small)).toEqual(small);
  expect(fileOf(large)).toEqual(large);
  expect(unnamed()).toEqual([]);
  const bytes = readFileSync(scratch.pathOf(checksum ?? "", "commit"));
  expect(parseCommit(bytes)).toMatchObject({
    timestampEpoch: 7,
    metadata: [["key", { type: "s", value: "text" }]],
  });
});

test("a symbolic link becomes an object, and the layer's tree names it", async () => {
  const link: LayerEntry = { ...FILE, type: "symlink", path: "link", linkTarget: "../y" };
  const checksum = await commit(stream([{ ...FILE, type: "directory", path: "" }, link]));
  const { rootTree } = parseCommit(readFileSync(scratch.pathOf(checksum ?? "", "commit")));
  const { files } = parseDirtree(readFileSync(scratch.pathOf(rootTree, "dirtree")));
  expect(files.map((it) => it.name)).toEqual(["link"]);
  expect(readlinkSync(scratch.pathOf(files[0]?.checksum ?? "", "file"))).toBe("../y");
});

test.each(["file", "symlink"] as const)(
  "a %s with attributes ends the stream where they cannot be set",
  async (type) => {
    const xattrs = [{ name: "user.a", value: Buffer.from("1") }];
    let isToldToEnd = false;
    async function* entries(): AsyncGenerator<LayerEntry> {
      try {
        yield { ...FILE, type: "directory", path: "usr", xattrs };
        yield { ...FILE, type, linkTarget: "y", xattrs };
        yield FILE;
      } finally {
        isToldToEnd = true;
      }
    }
    objects = { ...objects, takesXattrs: false };
    expect(await commit(entries())).toBeUndefined();
    expect(isToldToEnd).toBe(true);
  },
);

test("a file has its attributes when the layer is written, whatever its size", async () => {
  const libc = openLibc();
  if (libc === undefined) return;
  const xattrs = ["user.b", "user.a"].map((name) => ({ name, value: Buffer.from(name) }));
  for (const content of [Buffer.from("small"), Buffer.alloc(200_000)]) {
    const sizeBytes = content.length;
    await commit(stream([{ ...FILE, xattrs, sizeBytes, content: [content] }]));
    const header = { ...OWNER, mode: 0o100644, symlinkTarget: "", xattrs };
    const checksum = sha256(formatFileHeader(header), content);
    const path = scratch.pathOf(checksum, "file");
    expect(libc.getXattr(path, "user.a")?.toString()).toBe("user.a");
    expect(libc.getXattr(path, "user.b")?.toString()).toBe("user.b");
  }
});

test("content that fails half-way leaves nothing behind, and no commit", async () => {
  async function* content(): AsyncGenerator<Buffer> {
    yield Buffer.alloc(100_000);
    throw new Error("damaged");
  }
  const entries = stream([{ ...FILE, sizeBytes: 200_000, content: content() }]);
  await expect(commit(entries)).rejects.toThrow("damaged");
  expect(unnamed()).toEqual([]);
});

test("an end asked for between two pieces is obeyed", async () => {
  const abort = new AbortController();
  async function* content(): AsyncGenerator<Buffer> {
    yield Buffer.alloc(100_000);
    abort.abort(new Error("enough"));
    yield Buffer.alloc(100_000);
  }
  const entries = stream([{ ...FILE, sizeBytes: 200_000, content: content() }]);
  await expect(commit(entries, abort.signal)).rejects.toThrow("enough");
  expect(unnamed()).toEqual([]);
});
