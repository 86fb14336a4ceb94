import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { exitStatusOf } from "../errors.ts";
import { isLocked, lockFile } from "./lock.ts";
import { createContext } from "./run.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "bootc-lock-"));
});
afterEach(() => rm(folder, { recursive: true }));

const ctx = createContext();

test("a second process waits, learns for whom, and gives up as busy", async () => {
  const path = join(folder, "lock");
  const first = await lockFile(ctx, path, { purpose: "pull", timeoutMs: 0, onWait: () => {} });
  const told: string[] = [];
  const second = lockFile(ctx, path, {
    purpose: "pull",
    timeoutMs: 50,
    onWait: (it) => told.push(it),
  });
  const error = await second.catch((it: unknown) => it);
  expect(exitStatusOf(error)).toBe(9);
  expect(told).toEqual([`another program (pull, process ${process.pid})`]);
  await first.release();
});

test("the lock is free again after its release, and goes to the one who waits", async () => {
  const path = join(folder, "lock");
  const first = await lockFile(ctx, path, { purpose: "pull", timeoutMs: 0, onWait: () => {} });
  const second = await lockFile(ctx, path, {
    purpose: "cleanup",
    timeoutMs: 10_000,
    onWait: () => void first.release(),
  });
  await second.release();
});

test("whether a lock is held can be asked without taking it", async () => {
  const path = join(folder, "lock");
  expect(await isLocked(ctx, path)).toBe(false);
  const lock = await lockFile(ctx, path, { purpose: "pull", timeoutMs: 0, onWait: () => {} });
  expect(await isLocked(ctx, path)).toBe(true);
  await lock.release();
  expect(await isLocked(ctx, path)).toBe(false);
  await (await lockFile(ctx, path, { purpose: "pull", timeoutMs: 0, onWait: () => {} })).release();
});
