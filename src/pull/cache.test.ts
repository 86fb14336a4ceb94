import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createContext } from "../system/run.ts";
import { blobPath, closeCache, hasUnfinished, openCache } from "./cache.ts";

const DOCUMENT = `sha256:${"a".repeat(64)}`;
const KEPT = `sha256:${"b".repeat(64)}`;

let repo = "";
beforeEach(async () => {
  repo = await mkdtemp(join(tmpdir(), "cache-"));
});
afterEach(() => rm(repo, { recursive: true }));

test("a closed cache keeps complete blobs alone, and nothing tells of a download", async () => {
  const cache = await openCache(createContext(), repo, []);
  cache.documents.add(DOCUMENT);
  await writeFile(blobPath(cache, DOCUMENT), "{}");
  await writeFile(blobPath(cache, KEPT), "a layer");
  await writeFile(blobPath(cache, `sha256:${"c".repeat(64)}`), "");
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
