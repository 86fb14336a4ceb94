// A root that is encrypted: made, bound to the TPM of this machine, and open while it is installed to.
import { randomBytes, randomUUID } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { closeLuks, enrollTpm, formatLuks, openLuks } from "../../programs/disk/luks.ts";
import type { Context } from "../../system/context.ts";
import { cleanupContext } from "../../system/run.ts";

/** What a root file system is made on. */
export interface RootDevice {
  readonly node: string;
  /** With which an initramfs opens it. */
  readonly kargs: readonly string[];
}

/** Encrypts a partition for `work`. Its key is thrown away: what opens it later is the TPM. */
export async function withEncryption<T>(
  ctx: Context,
  node: string,
  work: (it: RootDevice) => Promise<T>,
): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), "bootc-luks-"));
  try {
    const luks = { node, uuid: randomUUID(), keyFile: join(dir, "key") };
    await writeFile(luks.keyFile, randomBytes(64), { mode: 0o600 });
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
    await rm(dir, { recursive: true });
  }
}
