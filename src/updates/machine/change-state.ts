// Changes what automatic updates remember, one change at a time, and keeps their runs apart.
import { join } from "node:path";
import type { Context } from "../../system/context.ts";
import { makeDirectories } from "../../system/files.ts";
import { lockFile } from "../../system/lock.ts";
import type { UpdatesState } from "../state.ts";
import { takeUpdatesState, writeUpdatesState } from "./state-file.ts";
import { tellEvents } from "./tell.ts";

/**
 * Returns the state after `change`, and tells people about its events. The lock is held only for a moment, so
 * that a person can pause a run.
 */
export async function changeState(
  ctx: Context,
  nowMs: number,
  change: (state: UpdatesState) => UpdatesState,
): Promise<UpdatesState> {
  const name = { file: "updates-state.lock", purpose: "changing the state of updates" };
  const { state, news } = await withLock(ctx, name, async () => {
    const { state: before, damage } = await takeUpdatesState(ctx, nowMs);
    const after = change(before);
    if (after !== before) await writeUpdatesState(ctx, after);
    const known = new Set(damage === undefined ? before.history : []);
    return { state: after, news: after.history.filter((it) => !known.has(it)) };
  });
  await tellEvents(ctx, news);
  return state;
}

/** Only one run of automatic updates at a time. */
export async function withRunLock<T>(ctx: Context, work: () => Promise<T>): Promise<T> {
  return await withLock(ctx, { file: "updates.lock", purpose: "running automatic updates" }, work);
}

async function withLock<T>(
  ctx: Context,
  { file, purpose }: { readonly file: string; readonly purpose: string },
  work: () => Promise<T>,
): Promise<T> {
  await makeDirectories(join(ctx.root, "run/bootc"), 0o755);
  const lock = await lockFile(ctx, join(ctx.root, "run/bootc", file), {
    purpose,
    timeoutMs: 60_000,
    onWait: (holder) => ctx.note(`waiting for ${holder}`),
  });
  try {
    return await work();
  } finally {
    await lock.release();
  }
}
