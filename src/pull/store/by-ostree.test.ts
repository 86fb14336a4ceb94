import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createContext } from "../../system/run.ts";
import { readTar } from "../../tar/reader.ts";
import { xattrsOf } from "../../tar/xattrs.ts";
import { createOstreeSink, tarOf } from "./by-ostree.ts";
import { type LayerEntry, NO_CONTENT } from "./sink.ts";

const FILE: LayerEntry = {
  ...{ type: "file", path: "usr/x", uid: 1, gid: 2, mode: 0o4755, xattrs: [] },
  ...{ sizeBytes: 0, linkTarget: "", content: NO_CONTENT },
};

const ENTRIES: readonly LayerEntry[] = [
  { ...FILE, type: "directory", path: "", mode: 0o700 },
  { ...FILE, type: "directory", path: "usr", xattrs: [{ name: "user.a", value: Buffer.of(1) }] },
  { ...FILE, sizeBytes: 5, content: [Buffer.from("ab"), Buffer.from("cde")] },
  { ...FILE, path: `usr/${"ž".repeat(90)}`, sizeBytes: 512, content: [Buffer.alloc(512, "y")] },
  { ...FILE, path: "usr/empty", uid: 3_000_000 },
  { ...FILE, path: "usr/large", sizeBytes: 1 << 20, content: pieces(1 << 20, 100_000) },
  { ...FILE, path: "usr/many", sizeBytes: 300_001, content: pieces(300_001, 1000) },
  { ...FILE, type: "symlink", path: "usr/link", mode: 0o777, linkTarget: "../y" },
  { ...FILE, type: "hardlink", path: "usr/again", linkTarget: "usr/x" },
];

function pieces(length: number, size: number): readonly Buffer[] {
  const all = Buffer.from(Array.from({ length }, (_, i) => i % 251));
  const starts = Array.from({ length: Math.ceil(length / size) }, (_, i) => i * size);
  return starts.map((at) => all.subarray(at, at + size));
}

async function* stream(entries: readonly LayerEntry[]): AsyncGenerator<LayerEntry> {
  yield* entries;
}

async function* joined(batches: AsyncIterable<readonly Uint8Array[]>): AsyncGenerator<Buffer> {
  for await (const batch of batches) yield Buffer.concat(batch);
}

async function bytesOf(content: AsyncIterable<unknown> | Iterable<unknown>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of content) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

test("the tar holds what the entries say", async () => {
  const batches = tarOf(stream(ENTRIES));
  const found: unknown[] = [];
  for await (const { entry, content } of readTar(joined(batches), { needsEndMarker: true })) {
    const { type, path, uid, gid, mode, sizeBytes, linkPath } = entry;
    const more = { sizeBytes, linkTarget: linkPath, content: await bytesOf(content) };
    found.push({ type, path, uid, gid, mode, xattrs: xattrsOf(entry), ...more });
  }
  const expected = ENTRIES.map(async (it) => ({
    ...it,
    path: it.path === "" ? "./" : it.path,
    content: await bytesOf(it.content),
  }));
  expect(found).toEqual(await Promise.all(expected));
});

test("the tar has the labels of files and links, beside their other attributes", async () => {
  const name = "security.selinux";
  const labelOf = (path: string, mode: number) => Buffer.from(`${path} ${mode.toString(8)}\0`);
  const file = { ...FILE, xattrs: [{ name: "user.a", value: Buffer.of(1) }] };
  const entries = [...ENTRIES.slice(0, 2), file, ...ENTRIES.slice(-2)];
  const found: unknown[] = [];
  for await (const { entry } of readTar(joined(tarOf(stream(entries), labelOf)), {
    needsEndMarker: true,
  })) {
    found.push(
      xattrsOf(entry)
        .find((it) => it.name === name)
        ?.value.toString(),
    );
    if (entry.path === "usr/x") expect(xattrsOf(entry)).toHaveLength(2);
  }
  const [root, usr, hardLink] = [undefined, undefined, undefined];
  expect(found).toEqual([root, usr, "/usr/x 104755\0", "/usr/link 120777\0", hardLink]);
});

test.each([
  [{ metadata: {} }, ["--tar-autocreate-parents"]],
  [
    { metadata: { a: "b=c" }, selinuxPolicyDir: "/policy", timestampEpoch: 0 },
    [
      ...["--selinux-policy=/policy", "--add-metadata-string=a=b=c", "--timestamp=@0"],
      "--tar-autocreate-parents",
    ],
  ],
])("ostree is told how to commit: %o", async (how, want) => {
  const top = mkdtempSync(join(tmpdir(), "by-ostree-"));
  onTestFinished(() => rmSync(top, { recursive: true }));
  const script = `#!/bin/sh\nprintf '%s\\n' "$@" > ${top}/words\ncat > ${top}/tar\nprintf '%064d\\n' 7\n`;
  writeFileSync(join(top, "ostree"), script, { mode: 0o755 });
  const ctx = createContext({ env: { PATH: `${top}:${process.env.PATH}` } });
  const sink = createOstreeSink(ctx, { repo: "/repo", layerDigest: "sha256:a" });
  expect(await sink.commit(stream([FILE]), how)).toBe("7".padStart(64, "0"));
  const words = readFileSync(join(top, "words"), "utf8").trimEnd().split("\n");
  expect(words.slice(words.indexOf("--tree=tar=-") + 1)).toEqual(want);
});

test("what is handed over stays as it is, in batches of bounded size", async () => {
  const batches: (readonly Uint8Array[])[] = [];
  for await (const batch of tarOf(stream(ENTRIES))) batches.push(batch);
  const sizes = batches.map((it) => it.reduce((sum, { length }) => sum + length, 0));
  expect(Math.max(...sizes)).toBeLessThanOrEqual((1 << 18) + 100_000);
  const tar = Buffer.concat(batches.flat());
  expect(tar.length % 512).toBe(0);
  expect(tar.includes(Buffer.concat(pieces(300_001, 1000)))).toBe(true);
  expect(tar.includes(Buffer.concat(pieces(1 << 20, 1000)))).toBe(true);
});

test("there is no end marker behind entries that fail", async () => {
  async function* failing(): AsyncGenerator<LayerEntry> {
    yield FILE;
    throw new Error("damaged");
  }
  const batches: (readonly Uint8Array[])[] = [];
  const all = (async () => {
    for await (const batch of tarOf(failing())) batches.push(batch);
  })();
  await expect(all).rejects.toThrow("damaged");
  expect(batches).toEqual([]);
});
