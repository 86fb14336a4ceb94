import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { blobPath, type WantedBlob } from "../../repository/cache.ts";
import { watchBlobs } from "./watch.ts";

const [A, B] = ["a", "b"].map((it) => ({
  digest: `sha256:${it.repeat(64)}`,
  sizeBytes: undefined,
})) as unknown as readonly [WantedBlob, WantedBlob];

async function makeBed() {
  const root = await mkdtemp(join(tmpdir(), "watch-"));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  const cache = {
    blobDir: join(root, "blobs"),
    layoutDir: join(root, "layout"),
    documents: new Set<string>(),
  };
  await mkdir(join(cache.blobDir, "sha256"), { recursive: true });
  await mkdir(cache.layoutDir);
  const completed: string[] = [];
  const arrived = Promise.withResolvers<void>();
  const watch = watchBlobs(cache, {
    wanted: [A, B],
    onComplete({ digest }) {
      completed.push(digest);
      arrived.resolve();
    },
  });
  onTestFinished(watch.stop);
  return {
    cache,
    watch,
    completed,
    /** Resolves when the first blob is complete, without anybody looking. */
    arrived: arrived.promise,
    partial: (bytes: number) =>
      writeFile(join(cache.layoutDir, "oci-put-blob1"), Buffer.alloc(bytes)),
    /** A blob gets its name when it is whole, as skopeo has it. */
    async finish({ digest }: WantedBlob, bytes: number) {
      const temporary = join(cache.layoutDir, "whole");
      await writeFile(temporary, Buffer.alloc(bytes));
      await rename(temporary, blobPath(cache, digest));
    },
  };
}

test("a look counts what is complete and what is half-written", async () => {
  const { watch, completed, partial, finish } = await makeBed();
  await watch.look();
  expect([watch.bytes, watch.complete]).toEqual([0, 0]);
  await finish(A, 100);
  await partial(7);
  await watch.look();
  expect([watch.bytes, watch.complete]).toEqual([107, 1]);
  expect([A, B].map(watch.isComplete)).toEqual([true, false]);
  expect(completed).toEqual([A.digest]);
});

test("half-written blobs are counted anew by each look", async () => {
  const { watch, partial } = await makeBed();
  await partial(7);
  await watch.look();
  await partial(3);
  await watch.look();
  expect(watch.bytes).toBe(3);
});

test("a blob is reported once, however often it is looked at", async () => {
  const { watch, completed, finish } = await makeBed();
  await finish(A, 100);
  await Promise.all([watch.look(), watch.look()]);
  await watch.look();
  expect(completed).toEqual([A.digest]);
  expect([watch.bytes, watch.complete]).toEqual([100, 1]);
});

test("a placeholder is not a blob", async () => {
  const { cache, watch, completed } = await makeBed();
  await symlink("/dev/null", blobPath(cache, A.digest));
  await watch.look();
  expect(completed).toEqual([]);
  expect(watch.isComplete(A)).toBe(false);
});

test("a blob that arrives is reported without a look, and others are ignored", async () => {
  const { cache, completed, finish, arrived } = await makeBed();
  await writeFile(join(cache.blobDir, "sha256/unknown"), "x");
  await finish(B, 5);
  await arrived;
  expect(completed).toEqual([B.digest]);
});

test("where the kernel cannot watch, looks find what arrives", async () => {
  const root = await mkdtemp(join(tmpdir(), "watch-"));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  const cache = { blobDir: join(root, "none"), layoutDir: root, documents: new Set<string>() };
  const completed: string[] = [];
  const watch = watchBlobs(cache, {
    wanted: [A],
    onComplete: ({ digest }) => void completed.push(digest),
  });
  await mkdir(join(cache.blobDir, "sha256"), { recursive: true });
  await writeFile(blobPath(cache, A.digest), "x");
  await watch.look();
  watch.stop();
  expect(completed).toEqual([A.digest]);
});
