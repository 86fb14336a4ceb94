// cryptsetup and systemd-cryptenroll: a device that is encrypted, and that the TPM of this machine opens.
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
    hint: "say `--block-setup direct`, or make file systems and use `bootc install to-filesystem`",
  });
}

async function listTpms(ctx: Context): Promise<string> {
  try {
    return await ctx.read("systemd-cryptenroll", ["--tpm2-device=list"]);
  } catch (error) {
    // It fails where there is none; a program that is missing is an error of its own.
    if (failureOf(error)?.exitCode === undefined) throw error;
    return "";
  }
}

export interface LuksDevice {
  /** The partition. */
  readonly node: string;
  readonly uuid: string;
  /** A file with the key that opens it, until the TPM does. */
  readonly keyFile: string;
}

/** Encrypts the device. What was on it is lost. */
export async function formatLuks(ctx: Context, it: LuksDevice): Promise<void> {
  const args = ["--batch-mode", "--type=luks2", `--uuid=${it.uuid}`, `--key-file=${it.keyFile}`];
  await doing(`encrypting \`${it.node}\``, () =>
    ctx.run("cryptsetup", ["luksFormat", ...args, it.node]),
  );
}

/** Has the TPM open the device from now on, and nothing else. */
export async function enrollTpm(ctx: Context, { node, keyFile }: LuksDevice): Promise<void> {
  const args = [`--unlock-key-file=${keyFile}`, "--wipe-slot=all", "--tpm2-device=auto"];
  await doing(`binding \`${node}\` to the TPM`, () =>
    ctx.run("systemd-cryptenroll", [...args, node]),
  );
}

/** Opens the device and gives that of what is inside. */
export async function openLuks(ctx: Context, it: LuksDevice): Promise<string> {
  const name = mapperName(it);
  await doing(`opening \`${it.node}\``, () =>
    ctx.run("cryptsetup", ["open", `--key-file=${it.keyFile}`, it.node, name]),
  );
  return join("/dev/mapper", name);
}

/** Closes the device, as soon as nothing is mounted from it any more. */
export async function closeLuks(ctx: Context, it: LuksDevice): Promise<void> {
  await ctx.run("cryptsetup", ["close", "--deferred", mapperName(it)]);
}

/** As systemd names it when it opens one by its UUID. */
function mapperName({ uuid }: LuksDevice): string {
  return `luks-${uuid}`;
}
