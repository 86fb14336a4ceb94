// The system that runs: whether it is what is installed over, and what of it cannot be.
import { stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import { BootcError } from "../../errors.ts";
import { parseBootTarget } from "../../host/boot-entry.ts";
import type { Context } from "../../system/context.ts";
import { exists, readFileIfAny } from "../../system/files.ts";
import { findHostRoot } from "../../system/host-root.ts";

/** Whether one of `paths` is on the file system the running system has its root, or its physical root, on. */
export async function isRunningRoot(ctx: Context, paths: readonly string[]): Promise<boolean> {
  const host = await hostRootOf(ctx);
  // With composefs the root of an ostree system is an overlay, and no file system of a disk.
  const physical = join(host, "sysroot");
  const running = [host, ...((await exists(physical)) ? [physical] : [])];
  const [ours, theirs] = await Promise.all(
    [paths, running].map((them) => Promise.all(them.map(identify))),
  );
  return (ours ?? []).some((it) => theirs?.includes(it));
}

/** A file system: its device, and what tells those with one device number apart. */
async function identify(path: string): Promise<string> {
  const [{ dev }, { type, blocks }] = await Promise.all([stat(path), statfs(path)]);
  return [dev, type, blocks].join(" ");
}

/** The running system's own stateroot cannot be installed over: its /var is in use. */
export async function requireOtherStateroot(ctx: Context, stateroot: string): Promise<void> {
  // A container has a /run of its own, but the command line is the kernel's.
  if (!(await exists(join(await hostRootOf(ctx), "run/ostree-booted")))) return;
  const cmdline = (await readFileIfAny(join(ctx.root, "proc/cmdline"))) ?? "";
  if (parseBootTarget(cmdline)?.stateroot !== stateroot) return;
  throw new BootcError(`Cannot redeploy over booted stateroot ${stateroot}`, {
    hint: "choose another name with --stateroot",
  });
}

async function hostRootOf(ctx: Context): Promise<string> {
  return (await findHostRoot(ctx)) ?? ctx.root;
}
