import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { PENDING_PREFIX, pendingRef } from "../../ostree/ref-names.ts";
import { listRefs } from "../../repository/files.ts";
import type { Context } from "../../system/context.ts";
import { EMPTY_COMMIT } from "../../testing/empty-commit.ts";
import { scriptedContext } from "../../testing/scripted-context.ts";
import { makeFileRepository } from "../../testing/stored-image.ts";
import { createBatches, decideWritable } from "./batches.ts";

const BARE = "[core]\nrepo_version=1\nmode=bare\n";

test.each([
  [BARE, 0, true],
  [BARE, 1000, false],
  [BARE, undefined, false],
  ["", 0, false],
  ["[core]\nmode=bare-user\n", 0, false],
  ["[core]\nmode=archive-z2\n", 0, false],
  [`${BARE}per-object-fsync=true\n`, 0, false],
  [`${BARE}per-object-fsync=false\n`, 0, true],
  [`${BARE}fsync=false\n`, 0, true],
  [`${BARE}[ex-integrity]\nfsverity=no\ncomposefs=false\n`, 0, true],
  [`${BARE}[ex-integrity]\nfsverity=maybe\n`, 0, false],
  [`${BARE}[ex-integrity]\nfsverity=yes\n`, 0, false],
  [`${BARE}[ex-integrity]\ncomposefs=true\n`, 0, false],
])(
  "with the configuration %j and user id %s objects are written by us: %s",
  (config, uid, want) => {
    expect(decideWritable(config, uid)).toBe(want);
  },
);

const EMPTY_LAYER = { commit: EMPTY_COMMIT, isProven: true };
const [A, B] = ["a", "b"].map((it) => `sha256:${it.repeat(64)}`) as [string, string];

/** A repository, and an ostree that notes what it was given; the first `failures` moves fail. */
async function makeBed({
  config = "locking=false\nmin-free-space-percent=0\n",
  failures = 0,
} = {}) {
  const file = await makeFileRepository();
  await file.write("config", `${BARE}${config}`);
  await mkdir(join(file.repo, "state"));
  await mkdir(join(file.repo, "refs/heads", PENDING_PREFIX), { recursive: true });
  const moves: (readonly string[])[] = [];
  const ctx: Context = {
    ...scriptedContext(file.repo, []).ctx,
    async read(_program, args) {
      const scratch = args.find((it) => it.startsWith(join(file.repo, "tmp"))) ?? "";
      moves.push(await listRefs(scratch, ""));
      if (moves.length <= failures) throw new Error(`move ${moves.length} failed`);
      return "";
    },
  };
  const batches = await createBatches(ctx, file.repo);
  const leftOf = (folder: string) => readdir(join(file.repo, folder));
  return { ...file, moves, batches, leftOf };
}

test("layers that are written side by side are moved together, when the last has ended", async () => {
  const { batches, moves, leftOf } = await makeBed();
  const [one, two] = [await batches.open(), await batches.open()];
  expect(one.scratch).toBe(two.scratch);
  const first = one.publish(A, EMPTY_LAYER);
  one.end();
  await setImmediate();
  expect(moves).toEqual([]);
  const second = two.publish(B, EMPTY_LAYER);
  two.end();
  await Promise.all([first, second]);
  expect(moves).toEqual([[pendingRef(A), pendingRef(B)]]);
  expect(await leftOf("tmp")).toEqual([]);
});

test("a layer after that gets a batch of its own", async () => {
  const { batches, moves } = await makeBed();
  for (const digest of [A, B]) {
    const slot = await batches.open();
    const published = slot.publish(digest, EMPTY_LAYER);
    slot.end();
    await published;
  }
  expect(moves).toEqual([[pendingRef(A)], [pendingRef(B)]]);
});

test("a layer that was given up is not moved, and needs no move", async () => {
  const { batches, moves, leftOf } = await makeBed();
  const slot = await batches.open();
  slot.end();
  await batches.remove();
  expect(moves).toEqual([]);
  expect(await leftOf("tmp")).toEqual([]);
});

test("a batch with more than 128 MiB takes no more layers", async () => {
  const { batches, moves } = await makeBed();
  const [one, two] = [await batches.open(), await batches.open()];
  const file = one.objects.file({ uid: 0, gid: 0, mode: 0o644, xattrs: [], sizeBytes: 0 });
  const piece = Buffer.alloc(1 << 20);
  for (let i = 0; i < 129; i++) file.write(piece);
  file.abandon();
  one.end();
  const three = await batches.open();
  expect(three.scratch).not.toBe(two.scratch);
  for (const it of [two, three]) it.end();
  await batches.remove();
  expect(moves).toEqual([]);
});

test("what went wrong with the writing fails all layers beside it, and none after it", async () => {
  const { batches, moves, leftOf } = await makeBed();
  const [one, two] = [await batches.open(), await batches.open()];
  const published = one.publish(A, EMPTY_LAYER);
  one.end();
  two.spoil(new Error("no disk"));
  two.spoil(new Error("later"));
  two.end();
  await expect(published).rejects.toThrow("no disk");
  expect(moves).toEqual([]);
  const next = await batches.open();
  const after = next.publish(B, EMPTY_LAYER);
  next.end();
  await after;
  expect(moves).toEqual([[pendingRef(B)]]);
  expect(await leftOf("tmp")).toEqual([]);
});

test("a move that fails fails its layers, and the next one is made all the same", async () => {
  const { batches, moves, leftOf } = await makeBed({ failures: 1 });
  for (const [digest, said] of [
    [A, "move 1 failed"],
    [B, "moved"],
  ] as const) {
    const slot = await batches.open();
    const published = slot.publish(digest, EMPTY_LAYER);
    slot.end();
    expect(
      await published.then(
        () => "moved",
        (error: Error) => error.message,
      ),
    ).toBe(said);
  }
  expect(moves).toHaveLength(2);
  expect(await leftOf("tmp")).toEqual([]);
});

test("a commit that is there is marked as one that may lack objects, a new one is not", async () => {
  const { batches, leftOf } = await makeBed();
  const slot = await batches.open();
  const published = [
    slot.publish(A, EMPTY_LAYER),
    slot.publish(B, { commit: "c".repeat(64), isProven: false }),
  ];
  slot.end();
  await Promise.all(published);
  expect(await leftOf("state")).toEqual([`${EMPTY_COMMIT}.commitpartial`]);
});

test("layers leave free what the repository is configured to keep free", async () => {
  const { batches } = await makeBed({ config: "min-free-space-percent=100\n" });
  const { objects } = await batches.open();
  const file = objects.file({ uid: 0, gid: 0, mode: 0o644, xattrs: [], sizeBytes: 0 });
  expect(() => file.write(Buffer.of(1))).toThrow(expect.objectContaining({ kind: "space" }));
  await batches.remove();
});

test("what is not published is forgotten at the end", async () => {
  const { batches, moves, leftOf } = await makeBed();
  await batches.open();
  expect(await leftOf("tmp")).toHaveLength(1);
  await batches.remove();
  expect(await leftOf("tmp")).toEqual([]);
  expect(moves).toEqual([]);
});
