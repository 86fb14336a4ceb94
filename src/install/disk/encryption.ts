// Encrypts the root, binds it to this machine's TPM, and keeps it open during the installation.
import { randomBytes, randomUUID } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { closeLuks, enrollTpm, formatLuks, openLuks } from "../../programs/disk/luks.ts";
import type { Context } from "../../system/context.ts";
import { ifMissing } from "../../system/files.ts";
import { openNameless } from "../../system/nameless-file.ts";
import { cleanupContext } from "../../system/run.ts";

/** The device for the root file system. */
export interface RootDevice {
  readonly node: string;
  /** Arguments with which an initramfs opens the device. */
  readonly kargs: readonly string[];
}

/**
 * A file in memory, since what was once on a disk can be found there. In a container, `/run` may be on a
 * disk; `/dev/shm` is missing only where nobody has mounted it.
 */
async function openKeyFile(root: string): Promise<FileHandle> {
  const inShared = await openNameless(join(root, "dev/shm")).catch(ifMissing(undefined));
  return inShared ?? (await openNameless(join(root, "run")));
}

/** Encrypts a partition for `work`. The key is thrown away: later, the TPM opens the partition. */
export async function withEncryption<T>(
  ctx: Context,
  node: string,
  work: (root: RootDevice) => Promise<T>,
): Promise<T> {
  const key = await openKeyFile(ctx.root);
  try {
    await key.writeFile(randomBytes(64));
    const luks = { node, uuid: randomUUID(), key: key.fd };
    await formatLuks(ctx, luks);
    const device = await openLuks(ctx, luks);
    try {
      await enrollTpm(ctx, luks);
      const kargs = [`luks.uuid=${luks.uuid}`, "luks.options=tpm2-device=auto,headless=true"];
      return await work({ node: device, kargs });
    } finally {
      await closeLuks(cleanupContext(ctx), luks);
    }
  } finally {
    await key.close();
  }
}
