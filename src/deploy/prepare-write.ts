// Comes before any verb that changes the booted host: permission, our own mounts, a writable root.
import { join } from "node:path";
import { BootcError } from "../errors.ts";
import { type HostKind, readContainerSign, readHostKind } from "../sysroot/host-kind.ts";
import { makeSysrootWritable, type WritableOptions } from "../sysroot/writable.ts";
import type { Context } from "../system/context.ts";
import { makeDirectories } from "../system/files.ts";
import { lockFile } from "../system/lock.ts";
import { requireRoot } from "../system/privileges.ts";
import { requireProgressDescriptor } from "../system/root/private-mounts.ts";
import { removeSuperseded } from "./shutdown/superseded.ts";
import { dropUnfinishedReset } from "./unfinished-reset.ts";

/** Makes `/sysroot` writable in a mount namespace of our own. May restart the program. */
export async function prepareForWrite(ctx: Context, options: WritableOptions = {}): Promise<void> {
  requireProgressDescriptor(ctx, options.progressDescriptor);
  await requireHostForRoot(ctx);
  await makeSysrootWritable(ctx, options);
}

/** Refuses a container, users other than root, and hosts that ostree has not booted. */
export async function requireHostForRoot(ctx: Context): Promise<void> {
  const kind = await readHostKind(ctx);
  if (kind === "container") throw await inContainer(ctx);
  await requireRoot(ctx);
  requireOstreeHost(kind);
}

async function inContainer(ctx: Context): Promise<BootcError> {
  const sign = await readContainerSign(ctx);
  return new BootcError("Detected container; this command requires a booted host system.", {
    kind: "unsupported",
    hint: `this looks like a container because ${sign}`,
  });
}

function requireOstreeHost(kind: HostKind): void {
  if (kind === "ostree") return;
  const composefs = { hint: "hosts that boot from composefs are not supported yet" };
  throw new BootcError("System not booted via bootc", {
    kind: "unsupported",
    ...(kind === "composefs" && composefs),
  });
}

export interface HostLockOptions {
  /** Shown to other runs that wait for this one. */
  readonly purpose: string;
  readonly timeoutMs?: number | undefined;
  /** What an update has superseded is removed first, which can take a minute on a slow disk. */
  readonly removesSuperseded?: boolean;
}

/**
 * Runs `work` as the only verb that changes this host, so nothing changes between looking and acting. What a
 * killed reset has staged is gone by then.
 */
export async function withHostLock<T>(
  ctx: Context,
  options: HostLockOptions,
  work: () => Promise<T>,
): Promise<T> {
  await makeDirectories(join(ctx.root, "run/bootc"), 0o755);
  const lock = await lockFile(ctx, join(ctx.root, "run/bootc/lock"), {
    purpose: options.purpose,
    timeoutMs: options.timeoutMs ?? 60_000,
    onWait: (holder) => ctx.note(`waiting for ${holder}`),
  });
  try {
    await dropUnfinishedReset(ctx);
    if (options.removesSuperseded === true) await removeSuperseded(ctx);
    return await work();
  } finally {
    await lock.release();
  }
}
