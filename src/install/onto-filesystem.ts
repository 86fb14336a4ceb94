// Installs onto a mounted file system, for to-filesystem and to-existing-root.
import { join } from "node:path";
import { followUp } from "../deploy/after-change.ts";
import type { Context } from "../system/context.ts";
import { ESP_DIRECTORY, type EspSearch, withEsp } from "./disk/esp.ts";
import {
  bootOf,
  describeTarget,
  type FilesystemOptions,
  type MountedRoot,
  requireEmptiable,
  requireMountedRoot,
  unprotect,
  wipeRoot,
  withBoot,
} from "./disk/filesystem.ts";
import { finalizeFilesystems, flushBoot, flushFilesystems } from "./disk/finalize.ts";
import { installTo } from "./install.ts";
import { isRunningRoot, requireOtherStateroot } from "./machine/running-root.ts";
import { prepareInstall } from "./prepare.ts";
import type { Prepared } from "./prepared.ts";
import type { InstallOptions } from "./request.ts";

/** How long to wait for second thoughts before the running system is overwritten. */
const GRACE_MS = 20_000;

export interface OntoFilesystem extends FilesystemOptions {
  readonly isAcknowledged: boolean;
  readonly skipsFinalize: boolean;
}

export async function installOntoFilesystem(
  ctx: Context,
  options: InstallOptions,
  onto: OntoFilesystem,
): Promise<void> {
  const mounted = await requireMountedRoot(ctx, onto.path);
  const prepared = await prepareInstall(ctx, options);
  const isRunning = await isRunningRoot(ctx, [onto.path, mounted.root]);
  if (isRunning) await requireOtherStateroot(ctx, prepared.stateroot);
  await requireEmptiable(ctx, mounted, onto.replace);
  if (isRunning && !onto.isAcknowledged) await warnOfRunningRoot(ctx, mounted.root);
  // Described before anything is wiped, because its fstab may be wiped.
  const target = await describeTarget(ctx, prepared, { mounted, options: onto });
  await unprotect(ctx, mounted, onto.replace);
  const work = async () => {
    if (onto.replace === "wipe") await wipeRoot(ctx, mounted);
    await withBoot(ctx, mounted, () => installTo(ctx, prepared, target));
  };
  if (onto.replace === "alongside") await withEsp(ctx, describeEsp(prepared, mounted), work);
  else await work();
  if (onto.isExistingRoot || onto.replace === "alongside") {
    await flushInstalled(ctx, mounted);
  } else if (!onto.skipsFinalize) {
    const { bootMount: boot, hasOwnBoot } = mounted;
    await finalizeFilesystems(ctx, [
      ...(boot === undefined || !hasOwnBoot ? [] : [{ path: boot.path, type: boot.type }]),
      { path: mounted.root, type: mounted.type },
    ]);
  }
  ctx.note("Installation complete!");
}

const INSTALLED = {
  outcome: "the image is installed",
  hint: "the next boot starts it; another run would install it once more",
};

/** Flushes what stays mounted, as that of a running system does. */
export async function flushInstalled(ctx: Context, mounted: MountedRoot): Promise<void> {
  const boot = bootOf(mounted);
  await followUp(INSTALLED, async () => {
    await flushFilesystems(ctx, [mounted.root, boot, join(boot, ESP_DIRECTORY)]);
    if (mounted.bootMount !== undefined && mounted.hasOwnBoot) {
      await flushBoot(ctx, mounted.bootMount);
    }
  });
}

function describeEsp({ options, config }: Prepared, mounted: MountedRoot): EspSearch {
  const isNeeded = (options.bootloader ?? config?.bootloader) !== "none";
  const isGeneric = options.genericImage ?? false;
  return { boot: bootOf(mounted), source: mounted.mount.source, isNeeded, isGeneric };
}

async function warnOfRunningRoot(ctx: Context, root: string): Promise<void> {
  ctx.note(`WARNING: \`${root}\` is the root of the running system.`);
  ctx.note("WARNING: This will OVERWRITE THE BOOTED HOST ROOT FILESYSTEM and is NOT REVERSIBLE.");
  ctx.note(`Waiting ${GRACE_MS / 1000} s; Ctrl-C stops it, --acknowledge-destructive skips this.`);
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(resolve, GRACE_MS);
    ctx.signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(ctx.signal.reason);
    });
  });
}
