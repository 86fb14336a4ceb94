import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, onTestFinished, test } from "vitest";
import { parseDirtree } from "../../ostree/dirtree.ts";
import { objectPath, parseCommit, sha256, textMetadata } from "../../ostree/objects.ts";
import { PENDING_PREFIX, pendingRef } from "../../ostree/ref-names.ts";
import { unverifiedRef } from "../../repository/pending.ts";
import type { Context } from "../../system/context.ts";
import { createContext } from "../../system/run.ts";
import {
  encapsulate,
  packFile,
  packObject,
  tarEntry,
  tarOfEntries,
} from "../../testing/layer-tar.ts";
import { scriptedContext } from "../../testing/scripted-context.ts";
import { createBatches } from "../store/batches.ts";
import { importLayer, type LayerImport } from "./layer.ts";

const digestOf = (bytes: Buffer) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
const FILTER = { allowsNonUsr: false, retainsVar: true };
const FILE = packFile("content");
const OTHER = packFile("other");
const BASE = encapsulate({ file: FILE });
const { commit: COMMIT, dirtree: DIRTREE, dirmeta: DIRMETA } = BASE.objects;
const META = [packObject(COMMIT), packObject(DIRTREE), packObject(DIRMETA)];

/** What ostree was handed over by one pull: refs with the commits they name, and a reader of objects. */
interface HandedOver {
  readonly refs: Readonly<Record<string, string>>;
  readonly objects: ReadonlyMap<string, Buffer>;
}

async function readScratch(top: string): Promise<HandedOver> {
  const refs: Record<string, string> = {};
  const heads = join(top, "refs/heads");
  for (const it of await readdir(heads, { recursive: true, withFileTypes: true })) {
    const path = join(it.parentPath, it.name);
    if (it.isFile()) refs[path.slice(heads.length + 1)] = (await readFile(path, "utf8")).trim();
  }
  const objects = new Map<string, Buffer>();
  for (const it of await readdir(join(top, "objects"), { recursive: true, withFileTypes: true })) {
    const path = join(it.parentPath, it.name);
    if (it.isFile()) objects.set(path.slice(top.length + 1), await readFile(path));
  }
  return { refs, objects };
}

/** A repository whose ostree takes what it is given, or fails as `fail` says. */
async function makeBed({ fail }: { readonly fail?: Error } = {}) {
  const repo = await mkdtemp(join(tmpdir(), "layer-"));
  onTestFinished(() => rm(repo, { recursive: true }));
  await mkdir(join(repo, "objects"));
  await mkdir(join(repo, "state"));
  await mkdir(join(repo, "refs/heads", PENDING_PREFIX), { recursive: true });
  await writeFile(
    join(repo, "config"),
    "[core]\nrepo_version=1\nmode=bare\nlocking=false\nmin-free-space-percent=0\n",
  );
  const handed: HandedOver[] = [];
  const ctx: Context = {
    ...scriptedContext(repo, []).ctx,
    async read(_program, [verb, ...args]) {
      expect(verb).toBe("pull-local");
      handed.push(await readScratch(args.find((it) => it.startsWith(join(repo, "tmp"))) ?? ""));
      if (fail !== undefined) throw fail;
      return "";
    },
  };
  const batches = await createBatches(ctx, repo);
  return {
    repo,
    handed,
    batches,
    unverified: (digest: string) => join(repo, "refs/heads", unverifiedRef(digest)),
    /** Imports a layer that lies in a file, and waits until it is on the disk. */
    async import(kind: LayerImport["kind"], tar: Buffer, more: Partial<LayerImport> = {}) {
      const blob = join(repo, "blob");
      await writeFile(blob, tar);
      const digest = digestOf(tar);
      const layer = await importLayer(ctx, {
        ...{ repo, kind, layerDigest: digest, blob, digest, batches },
        ...{ importerVersion: "7", filter: FILTER },
        ...more,
      });
      await layer.durable;
      return layer;
    },
  };
}

test("a derived layer becomes a commit of its entries, under its pending ref", async () => {
  const bed = await makeBed();
  const tar = tarOfEntries(
    tarEntry("usr/x", "text"),
    tarEntry("opt/y", "text"),
    tarEntry("opt/z", "text"),
  );
  const layer = await bed.import("derived", gzipSync(tar), { layerDigest: "sha256:a" });
  expect(layer).toMatchObject({ diffId: digestOf(tar), specialFiles: 0 });
  expect([...layer.filtered]).toEqual([["opt", 2]]);
  const [{ refs, objects } = await readScratch("")] = bed.handed;
  expect(refs).toEqual({ [pendingRef("sha256:a")]: layer.commit });
  const bytes = objects.get(objectPath(layer.commit, "commit")) ?? Buffer.alloc(0);
  expect(sha256(bytes)).toBe(layer.commit);
  const commit = parseCommit(bytes);
  expect(textMetadata(commit.metadata, "ostree.importer.version")).toBe("7");
  const root = parseDirtree(objects.get(objectPath(commit.rootTree, "dirtree")) ?? Buffer.of(0));
  expect(root.dirs.map((it) => it.name)).toEqual(["usr"]);
  expect(await readdir(join(bed.repo, "tmp"))).toEqual([]);
});

test("a chunk becomes the commit of its objects, without an importer", async () => {
  const bed = await makeBed();
  const layer = await bed.import("chunk", tarOfEntries(...FILE.entries, ...OTHER.entries));
  const [{ objects } = await readScratch("")] = bed.handed;
  const commit = parseCommit(objects.get(objectPath(layer.commit, "commit")) ?? Buffer.alloc(0));
  expect(commit).toMatchObject({ metadata: [], timestampEpoch: 0 });
  const root = parseDirtree(objects.get(objectPath(commit.rootTree, "dirtree")) ?? Buffer.of(0));
  expect(root.files.map((it) => [it.name, it.checksum])).toEqual(
    [FILE.checksum, OTHER.checksum].sort().map((it) => [it, it]),
  );
});

test("a commit layer is handed over with its commit, which is what the import gives", async () => {
  const bed = await makeBed();
  const tar = tarOfEntries(...META, ...FILE.entries);
  const layer = await bed.import("commit", tar, { baseCommit: BASE.commit });
  expect(layer.commit).toBe(BASE.commit);
  const [{ refs, objects } = await readScratch("")] = bed.handed;
  expect(refs).toEqual({ [pendingRef(digestOf(tar))]: BASE.commit });
  for (const { checksum, kind, bytes } of [COMMIT, DIRTREE, DIRMETA]) {
    expect(objects.get(objectPath(checksum, kind))?.equals(bytes)).toBe(true);
  }
  expect(objects.get(objectPath(FILE.checksum, "file"))?.toString()).toBe("content");
});

const detached = (checksum: string) =>
  packObject({ checksum, kind: "commitmeta", bytes: Buffer.alloc(0) });
const second = encapsulate({ another: FILE }).objects.commit;

test("detached metadata of the commit is taken", async () => {
  const bed = await makeBed();
  await bed.import("commit", tarOfEntries(...META, detached(BASE.commit), ...FILE.entries));
  const [{ objects } = await readScratch("")] = bed.handed;
  expect(objects.has(objectPath(BASE.commit, "commitmeta"))).toBe(true);
});

/** Content under the name of another object. */
const misnamed = Buffer.concat([
  FILE.entries[0] ?? Buffer.alloc(0),
  packObject({ checksum: FILE.checksum, kind: "file", bytes: Buffer.from("changed") }),
]);

test.each<
  [what: string, kind: LayerImport["kind"], entries: readonly Buffer[], more: Partial<LayerImport>]
>([
  ["a chunk with content under another name", "chunk", [misnamed], {}],
  ["a base with content under another name", "commit", [...META, misnamed], {}],
  ["a chunk with a commit", "chunk", [packObject(COMMIT)], {}],
  ["a base without a commit", "commit", [], {}],
  ["a base that begins with another object", "commit", [packObject(DIRTREE), ...META], {}],
  ["a base with two commits", "commit", [...META, packObject(second)], {}],
  ["a base with metadata of another", "commit", [...META, detached(second.checksum)], {}],
  ["another base than announced", "commit", META, { baseCommit: second.checksum }],
  ["a damaged directory", "commit", [packObject(COMMIT), damaged(DIRTREE.checksum)], {}],
  ["another diff-id", "derived", [], { diffId: `sha256:${"a".repeat(64)}` }],
  ["another size", "derived", [], { sizeBytes: 7 }],
  ["another digest", "derived", [], { digest: `sha256:${"a".repeat(64)}` }],
])("refused before anything is handed over: %s", async (_, kind, entries, more) => {
  const bed = await makeBed();
  const layerDigest = "sha256:a";
  await mkdir(join(bed.unverified(layerDigest), ".."), { recursive: true });
  await writeFile(bed.unverified(layerDigest), BASE.commit);
  const importing = bed.import(kind, tarOfEntries(...entries), { ...more, layerDigest });
  await expect(importing).rejects.toMatchObject({
    message: "the layer `sha256:a` cannot be imported",
    kind: "integrity",
  });
  expect(bed.handed).toEqual([]);
  // What an earlier run left unverified under its name is gone with it.
  await expect(readFile(bed.unverified(layerDigest))).rejects.toThrow("ENOENT");
  expect(await readdir(join(bed.repo, "tmp"))).toEqual([]);
});

function damaged(checksum: string): Buffer {
  return packObject({ checksum, kind: "dirtree", bytes: Buffer.of(0) });
}

test("a refused layer does no harm to the next one", async () => {
  const bed = await makeBed();
  await expect(bed.import("chunk", tarOfEntries(misnamed))).rejects.toThrow("cannot be imported");
  await bed.import("chunk", tarOfEntries(...FILE.entries));
  expect(bed.handed).toHaveLength(1);
});

test.each([
  ["a blob that cannot be read", { blob: "/nonexistent" }, "rejected"],
  ["a damaged layer", { sizeBytes: 7 }, "fulfilled"],
] as const)("beside %s (%j), a whole layer is %s", async (_, more, expected) => {
  const bed = await makeBed();
  const slot = await bed.batches.open();
  const published = slot.publish("sha256:b", { commit: BASE.commit, isProven: true });
  await expect(bed.import("derived", tarOfEntries(), more)).rejects.toThrow("cannot be imported");
  slot.end();
  const [{ status }] = await Promise.allSettled([published]);
  expect(status).toBe(expected);
});

test("without an end marker a layer is taken only where its diff-id proves it whole", async () => {
  const bed = await makeBed();
  const tar = tarEntry("usr/x", "text");
  await expect(bed.import("derived", tar)).rejects.toMatchObject({
    cause: { message: "the layer's tar has no end marker" },
  });
  await expect(bed.import("derived", tar, { diffId: digestOf(tar) })).resolves.toBeDefined();
});

test.each<readonly [string, string, string | undefined]>([
  [
    "error: ostree-tar: Writing content object: Input/output error",
    "failed",
    "the disk has failed",
  ],
  ["error: ostree-tar: No space left on device\nnot said last", "space", "make room"],
  ["error: ostree-tar: usr/Input/output error: Invalid argument", "integrity", undefined],
  ["ERROR:ostree-repo.c: assertion failed: (success || error)", "failed", undefined],
  ["ERROR:ostree-repo-libarchive.c: assertion failed: (name)", "integrity", undefined],
])(
  "a disk that fails under ostree does not make the layer a damaged one: %s",
  async (said, kind, hint) => {
    const bed = await makeBed();
    const programs = join(bed.repo, "programs");
    await mkdir(programs);
    const ostree = [
      "#!/bin/sh",
      "cat >/dev/null",
      'printf "%s\\n" "$SAID" >&2',
      "case $SAID in *assertion*) kill -ABRT $$ ;; esac",
      "exit 1",
    ];
    await writeFile(join(programs, "ostree"), ostree.join("\n"), { mode: 0o755 });
    const env = { ...process.env, PATH: `${programs}:${process.env.PATH}`, SAID: said };
    const tar = tarOfEntries();
    const blob = join(bed.repo, "layer");
    await writeFile(blob, tar);
    const layer = importLayer(createContext({ root: bed.repo, env }), {
      repo: bed.repo,
      kind: "chunk",
      layerDigest: digestOf(tar),
      digest: digestOf(tar),
      blob,
      importerVersion: "0",
    });
    await expect(layer).rejects.toMatchObject({
      kind,
      ...(hint !== undefined && { hint: expect.stringContaining(hint) }),
    });
  },
);

test.each([
  [
    "error: No such metadata object",
    { kind: "integrity", message: "the base commit is not complete" },
  ],
  ["error: Permission denied", { message: "error: Permission denied" }],
])("a base that ostree does not take for `%s`", async (said, expected) => {
  const bed = await makeBed({ fail: new Error(said) });
  await expect(bed.import("commit", tarOfEntries(...META))).rejects.toMatchObject(expected);
});
