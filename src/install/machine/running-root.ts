// The running system: whether it is installed over, and which part of it must not be.
import { stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import { BootcError } from "../../errors.ts";
import { parseBootTarget } from "../../host/boot/boot-entry.ts";
import type { Context } from "../../system/context.ts";
import { exists, readFileIfAny } from "../../system/files.ts";
import { findHostRoot } from "../../system/root/host-root.ts";

/** Whether one of `paths` is on the file system of the running root or physical root. */
export async function isRunningRoot(ctx: Context, paths: readonly string[]): Promise<boolean> {
  const host = await hostRootOf(ctx);
  // With composefs, the root of an ostree system is an overlay, and only the physical root is on a disk.
  const physical = join(host, "sysroot");
  const running = [host, ...((await exists(physical)) ? [physical] : [])];
  const [ours, theirs] = await Promise.all(
    [paths, running].map((them) => Promise.all(them.map(identify))),
  );
  return (ours ?? []).some((it) => theirs?.includes(it));
}

/** Identifies a file system: device numbers alone may be equal for different ones. */
async function identify(path: string): Promise<string> {
  const [{ dev }, { type, blocks }] = await Promise.all([stat(path), statfs(path)]);
  return [dev, type, blocks].join(" ");
}

/** Refuses the stateroot of the running system, whose /var is in use. */
export async function requireOtherStateroot(ctx: Context, stateroot: string): Promise<void> {
  // A container has its own /run, but sees the kernel's command line.
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
