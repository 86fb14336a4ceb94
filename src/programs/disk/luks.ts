// cryptsetup and systemd-cryptenroll: encrypted devices that this machine's TPM opens.
import { join } from "node:path";
import { BootcError, doing } from "../../errors.ts";
import type { Context } from "../../system/context.ts";
import { failureOf } from "../../system/run.ts";

/** Refuses a machine on which the programs or a TPM are missing. Changes nothing. */
export async function requireTpm(ctx: Context): Promise<void> {
  await ctx.read("cryptsetup", ["--version"]);
  if ((await listTpms(ctx)).includes("/dev/tpm")) return;
  throw new BootcError("this machine has no TPM2 to bind an encrypted root to", {
    kind: "unsupported",
    hint: "give `--block-setup direct`, or make file systems and use `bootc install to-filesystem`",
  });
}

async function listTpms(ctx: Context): Promise<string> {
  try {
    return await ctx.read("systemd-cryptenroll", ["--tpm2-device=list"]);
  } catch (error) {
    // It fails if there is no TPM. Only a missing program is an error.
    if (failureOf(error)?.exitCode === undefined) throw error;
    return "";
  }
}

export interface LuksDevice {
  /** The partition. */
  readonly node: string;
  readonly uuid: string;
  /** Our descriptor of a file with the key that opens the device until the TPM is enrolled. */
  readonly key: number;
}

/**
 * The key, for a program that receives our descriptor of it: opening it by this path starts at its first
 * byte.
 */
const KEY_FILE = "/proc/self/fd/3";

/** Encrypts the device. Its content is lost. */
export async function formatLuks(ctx: Context, { node, uuid, key }: LuksDevice): Promise<void> {
  const args = ["--batch-mode", "--type=luks2", `--uuid=${uuid}`, `--key-file=${KEY_FILE}`];
  await doing(`encrypting \`${node}\``, () =>
    ctx.run("cryptsetup", ["luksFormat", ...args, node], { descriptors: [key] }),
  );
}

/** Lets the TPM open the device, and removes all other keys. */
export async function enrollTpm(ctx: Context, { node, key }: LuksDevice): Promise<void> {
  const args = [`--unlock-key-file=${KEY_FILE}`, "--wipe-slot=all", "--tpm2-device=auto"];
  await doing(`binding \`${node}\` to the TPM`, () =>
    ctx.run("systemd-cryptenroll", [...args, node], { descriptors: [key] }),
  );
}

/** Opens the device and returns the decrypted one. */
export async function openLuks(ctx: Context, device: LuksDevice): Promise<string> {
  const { node, key } = device;
  const name = mapperName(device);
  await doing(`opening \`${node}\``, () =>
    ctx.run("cryptsetup", ["open", `--key-file=${KEY_FILE}`, node, name], { descriptors: [key] }),
  );
  return join("/dev/mapper", name);
}

/** Closes the device as soon as nothing is mounted from it any more. */
export async function closeLuks(ctx: Context, device: LuksDevice): Promise<void> {
  await ctx.run("cryptsetup", ["close", "--deferred", mapperName(device)]);
}

/** The name that systemd gives to a device which it opens by UUID. */
function mapperName({ uuid }: LuksDevice): string {
  return `luks-${uuid}`;
}
