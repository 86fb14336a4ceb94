// The lock by which ostree keeps its prunes apart from its transactions, taken as ostree takes it.
import { closeSync, constants, openSync } from "node:fs";
import { join } from "node:path";
import { BootcError } from "../errors.ts";
import type { Libc } from "../native/libc.ts";
import type { Context } from "../system/context.ts";
import { pause } from "../system/pause.ts";

export interface TransactionLock {
  readonly repo: string;
  readonly libc: Libc;
  /** Infinite when ostree would wait forever. */
  readonly timeoutMs: number;
}

/** ostree, too, asks again and again: a program cannot wait for this kind of lock for a limited time. */
const ASK_MS = 50;

/**
 * Runs `work` as a transaction of ostree would run: beside other transactions, while nothing is pruned.
 * Fails as `busy` after the time that ostree would wait.
 */
export async function withTransactionLock<T>(
  { signal }: Context,
  { repo, libc, timeoutMs }: TransactionLock,
  work: () => Promise<T>,
): Promise<T> {
  const { O_CREAT, O_RDWR } = constants;
  const fd = openSync(join(repo, ".lock"), O_CREAT | O_RDWR, 0o660);
  try {
    const end = performance.now() + timeoutMs;
    while (!libc.tryLock(fd, "shared")) {
      if (performance.now() >= end) throw stillLocked(repo, timeoutMs);
      await pause({ signal }, ASK_MS);
    }
    return await work();
  } finally {
    closeSync(fd);
  }
}

function stillLocked(repo: string, timeoutMs: number): BootcError {
  return new BootcError(
    `another program still has the lock \`${join(repo, ".lock")}\` after ${timeoutMs / 1000} s`,
    { kind: "busy", hint: "it probably prunes the repository; try again when it has ended" },
  );
}
