// Encrypts the root, binds it to this machine's TPM, and keeps it open during the installation.
import { randomBytes, randomUUID } from "node:crypto";
import { join } from "node:path";
import { closeLuks, enrollTpm, formatLuks, openLuks } from "../../programs/disk/luks.ts";
import type { Context } from "../../system/context.ts";
import { openNameless } from "../../system/nameless-file.ts";
import { cleanupContext } from "../../system/run.ts";

/** The device for the root file system. */
export interface RootDevice {
  readonly node: string;
  /** Arguments with which an initramfs opens the device. */
  readonly kargs: readonly string[];
}

/** Encrypts a partition for `work`. The key is thrown away: later, the TPM opens the partition. */
export async function withEncryption<T>(
  ctx: Context,
  node: string,
  work: (root: RootDevice) => Promise<T>,
): Promise<T> {
  // In memory: what was once on a disk can be found there.
  const key = await openNameless(join(ctx.root, "run"));
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
