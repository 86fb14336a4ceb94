// One writer of a repository at a time.
import { makeRepositoryWritable } from "../sysroot/writable.ts";
import type { Context } from "../system/context.ts";
import { lockFile } from "../system/lock.ts";
import { lockPath } from "./cache.ts";
import { requireRepository } from "./files.ts";

export const LOCK_TIMEOUT_MS = 60_000;

export interface RepositoryLockOptions {
  /** What the lock is for, as those who wait for it are told: `pulling docker://…`. */
  readonly purpose: string;
  readonly timeoutMs?: number | undefined;
  /** Called when somebody else has the lock; says so on standard error when not given. */
  readonly onWait?: ((holder: string) => void) | undefined;
}

/** Runs `work` as the one writer of `repo`. It does not nest: `work` must not ask for the lock again. */
export async function withRepositoryLock<T>(
  ctx: Context,
  repo: string,
  { options, work }: { readonly options: RepositoryLockOptions; readonly work: () => Promise<T> },
): Promise<T> {
  await requireRepository(repo);
  await makeRepositoryWritable(ctx, repo);
  const lock = await lockFile(ctx, await lockPath(repo), {
    purpose: options.purpose.replaceAll(/["\\]/g, ""),
    timeoutMs: options.timeoutMs ?? LOCK_TIMEOUT_MS,
    onWait: options.onWait ?? ((holder) => ctx.note(`waiting for ${holder}`)),
  });
  try {
    return await work();
  } finally {
    await lock.release();
  }
}
