import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { digestOf } from "../pull/plan/inspect.ts";
import { createContext } from "../system/run.ts";
import {
  blobPath,
  cacheDir,
  closeCache,
  hasUnfinished,
  lockPath,
  openCache,
  placeholdBlob,
  readBlobSize,
} from "./cache.ts";

const DOCUMENT = `sha256:${"a".repeat(64)}`;
const KEPT = `sha256:${"b".repeat(64)}`;
const OTHER = `sha256:${"c".repeat(64)}`;
const EMPTY = digestOf("");

let repo = "";
beforeEach(async () => {
  repo = await mkdtemp(join(tmpdir(), "cache-"));
});
afterEach(() => rm(repo, { recursive: true }));

test("a closed cache keeps only complete blobs, and no traces of a download", async () => {
  const cache = await openCache(createContext(), repo, []);
  cache.documents.add(DOCUMENT);
  await writeFile(blobPath(cache, DOCUMENT), "{}");
  await writeFile(blobPath(cache, KEPT), "a layer");
  placeholdBlob(cache, OTHER);
  await closeCache(cache);
  expect(await readdir(join(cache.blobDir, "sha256"))).toEqual(["b".repeat(64)]);
  expect(await hasUnfinished(repo)).toBe(false);
});

test("ended while it is closed, the next run still sees that something is left", async () => {
  const cache = await openCache(createContext(), repo, []);
  cache.documents.add(DOCUMENT);
  // A directory in the document's place stops the closing where a kill might.
  await mkdir(join(blobPath(cache, DOCUMENT), "in the way"), { recursive: true });
  await expect(closeCache(cache)).rejects.toThrow();
  expect(await hasUnfinished(repo)).toBe(true);
});

test("a blob may be empty, and is then no placeholder; a placeholder has no size", async () => {
  const cache = await openCache(createContext(), repo, []);
  await writeFile(blobPath(cache, EMPTY), "");
  placeholdBlob(cache, OTHER);
  expect(await readBlobSize(cache, EMPTY)).toBe(0);
  expect(await readBlobSize(cache, OTHER)).toBeUndefined();
  // skopeo asks by stat(2) whether there is anything at all.
  expect((await stat(blobPath(cache, OTHER))).size).toBe(0);
  placeholdBlob(cache, EMPTY);
  expect(await readBlobSize(cache, EMPTY)).toBeUndefined();
});

test("of what a killed run left, blobs that are wanted and whole stay, empty ones included", async () => {
  const killed = await openCache(createContext(), repo, []);
  await writeFile(blobPath(killed, EMPTY), "");
  await writeFile(blobPath(killed, KEPT), "");
  placeholdBlob(killed, OTHER);
  const wanted = [EMPTY, KEPT, OTHER].map((digest) => ({ digest, sizeBytes: 0 }));
  const cache = await openCache(createContext(), repo, wanted);
  expect(await readdir(join(cache.blobDir, "sha256"))).toEqual([EMPTY.slice("sha256:".length)]);
  // To whom the layer is nothing, an empty file is nothing either.
  const other = await openCache(createContext(), repo, []);
  expect(await readdir(join(other.blobDir, "sha256"))).toEqual([]);
});

test("only root looks into the cache: blobs may hold what nobody else may read", async () => {
  const before = process.umask(0);
  try {
    await openCache(createContext(), repo, []);
    expect((await stat(join(repo, "extensions/bootc/blobs"))).mode & 0o777).toBe(0o700);
    const locked = await mkdtemp(join(tmpdir(), "cache-"));
    await lockPath(locked);
    expect((await stat(cacheDir(locked))).mode & 0o777).toBe(0o700);
    await rm(locked, { recursive: true });
  } finally {
    process.umask(before);
  }
});
