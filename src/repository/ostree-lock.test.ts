import { closeSync, openSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Libc, openLibc } from "../native/libc.ts";
import type { Context } from "../system/context.ts";
import { scriptedContext } from "../testing/scripted-context.ts";
import { withTransactionLock } from "./ostree-lock.ts";

let repo: string;
let other: number;
beforeEach(async () => {
  repo = await mkdtemp(join(tmpdir(), "ostree-lock-"));
  other = openSync(join(repo, ".lock"), "a+");
});
afterEach(async () => {
  closeSync(other);
  await rm(repo, { recursive: true });
});

function openedLibc(): Libc {
  const libc = openLibc();
  if (libc === undefined) throw new Error("the C library cannot be called");
  return libc;
}

function withLock<T>(
  timeoutMs: number,
  work: () => Promise<T>,
  { signal }: Partial<Pick<Context, "signal">> = {},
): Promise<T> {
  const { ctx } = scriptedContext(repo, []);
  const used = signal === undefined ? ctx : { ...ctx, signal };
  return withTransactionLock(used, { repo, libc: openedLibc(), timeoutMs }, work);
}

test("transactions run side by side, and nobody prunes until the last one ends", async () => {
  const libc = openedLibc();
  await withLock(0, async () => {
    await withLock(0, async () => expect(libc.tryLock(other, "exclusive")).toBe(false));
    expect(libc.tryLock(other, "exclusive")).toBe(false);
    expect(libc.tryLock(other, "shared")).toBe(true);
  });
  expect(libc.tryLock(other, "exclusive")).toBe(true);
});

test("a transaction waits for a prune to end", async () => {
  const libc = openedLibc();
  libc.tryLock(other, "exclusive");
  const order: string[] = [];
  const waiting = withLock(60_000, async () => void order.push("transaction"));
  order.push("prune");
  libc.unlock(other);
  await waiting;
  expect(order).toEqual(["prune", "transaction"]);
});

test("a prune that does not end makes it fail", async () => {
  openedLibc().tryLock(other, "exclusive");
  await expect(withLock(100, async () => "done")).rejects.toMatchObject({
    kind: "busy",
    message: `another program still has the lock \`${join(repo, ".lock")}\` after 0.1 s`,
  });
});

test("who waits and is ended says why", async () => {
  openedLibc().tryLock(other, "exclusive");
  const abort = new AbortController();
  const waiting = withLock(60_000, async () => "done", abort);
  const reason = new Error("SIGTERM");
  abort.abort(reason);
  await expect(waiting).rejects.toBe(reason);
});
