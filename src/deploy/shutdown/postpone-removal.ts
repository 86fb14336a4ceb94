// Keeps the deployment that an update supersedes until after the reboot. ostree would remove it during the
// shutdown, where unlinking thousands of files is most of what a slow disk has to write.
import { join } from "node:path";
import { explainError } from "../../errors.ts";
import { assignSlots } from "../../host/assemble-host.ts";
import type { Deployment } from "../../host/deployment.ts";
import { keptDeployments } from "../../host/kept-deployments.ts";
import { pinAsSuperseded } from "../../ostree/origin.ts";
import { namedDeploymentDir } from "../../sysroot/paths.ts";
import { readStagedDeployment } from "../../sysroot/staged.ts";
import { readSysroot } from "../../sysroot/sysroot.ts";
import type { Context } from "../../system/context.ts";
import { exists, readFileIfAny } from "../../system/files.ts";
import { withHostLock } from "../prepare-write.ts";
import { isKernelInPlace } from "./early-kernel.ts";
import { changeOrigin } from "./superseded.ts";

/** Whoever holds the lock of the host longer is at work on another update. */
const WAIT_MS = 10_000;

/**
 * Pins it, in a way that `removeSuperseded` knows as ours. If the update is not applied after all, it is
 * still the rollback. A failure costs time only, and is noted.
 */
export async function postponeRemoval(ctx: Context): Promise<void> {
  try {
    if ((await findSuperseded(ctx)) === undefined) return;
    await withHostLock(ctx, { purpose: "preparing a reboot", timeoutMs: WAIT_MS }, async () => {
      const superseded = await findSuperseded(ctx);
      if (superseded !== undefined) await changeOrigin(ctx, superseded, pinAsSuperseded);
    });
  } catch (error) {
    ctx.signal.throwIfAborted();
    ctx.note(
      `note: the shutdown will remove the old rollback, and take longer: ${explainError(error)}`,
    );
  }
}

/** Came with the run that removes it: an older system would keep our pin for good. */
const REMOVER = "usr/lib/systemd/system/bootc-updates.service";

/** Where boot loaders keep the name of an entry to boot; it changes as long as there is one entry more. */
const NAMED_ENTRIES = {
  "sys/firmware/efi/efivars/LoaderEntryDefault-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f": /^/,
  "boot/loader/loader.conf": /^default\s+ostree-/m,
  "boot/grub/grubenv": /^saved_entry=ostree-/m,
  "boot/grub2/grubenv": /^saved_entry=ostree-/m,
} as const;

async function isEntryNamed({ root }: Context): Promise<boolean> {
  const found = await Promise.all(
    Object.entries(NAMED_ENTRIES).map(async ([path, pattern]) => {
      const text = await readFileIfAny(join(root, path));
      return text !== undefined && pattern.test(text);
    }),
  );
  return found.includes(true);
}

/** What the next shutdown is to keep; nothing while the deployment of an earlier update is still there. */
export async function findSuperseded(ctx: Context): Promise<Deployment | undefined> {
  const staged = await readStagedDeployment(ctx);
  if (staged === undefined || staged.isLocked) return undefined;
  const { deployments } = await readSysroot(ctx);
  const { booted } = assignSlots(deployments);
  if (booted?.stateroot !== staged.stateroot) return undefined;
  if (deployments.some((it) => it.isSuperseded)) return undefined;
  const tree = namedDeploymentDir(join(ctx.root, "sysroot"), staged);
  if (!(await exists(join(tree, REMOVER))) || (await isEntryNamed(ctx))) return undefined;
  const kept = keptDeployments(deployments, staged.stateroot);
  const [only, ...others] = deployments.filter((it) => !it.isStaged && !kept.includes(it));
  if (only === undefined || others.length > 0) return undefined;
  // Before the booted one, it would be the rollback of the update.
  const isAfter = deployments.indexOf(only) > deployments.indexOf(booted);
  // Otherwise the shutdown may need the room of its kernel in /boot.
  return isAfter && (await isKernelInPlace(ctx, staged)) ? only : undefined;
}
