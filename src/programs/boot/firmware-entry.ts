// Boot entries in the variables of this machine's firmware. The image's own programs write them.
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { BootcError, describeError } from "../../errors.ts";
import type { Context } from "../../system/context.ts";
import { exists } from "../../system/files.ts";

/**
 * Runs `register` with the path of the image's efibootmgr. Any failure is worth a warning only, because every
 * firmware also looks in EFI/BOOT by itself, when no other entry comes first.
 */
export async function tryRegister(
  ctx: Context,
  { deployment, loader }: { readonly deployment: string; readonly loader: string },
  register: (efibootmgr: string) => Promise<void>,
): Promise<void> {
  try {
    await register(await requireRegistrar(ctx, deployment));
  } catch (error) {
    if (ctx.signal.aborted) throw error;
    ctx.note(`warning: the firmware got no entry for ${loader}: ${describeError(error).message}`);
  }
}

async function requireRegistrar(ctx: Context, deployment: string): Promise<string> {
  const variables = join(ctx.root, "sys/firmware/efi/efivars");
  if (!(await exists(variables)) || (await readdir(variables)).length === 0) {
    throw new BootcError("its variables are not visible here");
  }
  for (const path of ["/usr/bin/efibootmgr", "/usr/sbin/efibootmgr"]) {
    if (await exists(join(deployment, path))) return path;
  }
  throw new BootcError("the image has no efibootmgr");
}

export interface FirmwareEntry {
  readonly label: string;
  /** Its path on the ESP, in the firmware's form. */
  readonly loader: string;
}

/**
 * Removes what earlier installations have left: entries that say the same as the first one, which was made
 * just now as `entry`. `words` are those that start the image's efibootmgr by chroot(8).
 */
export async function removeOlderTwins(
  ctx: Context,
  words: readonly string[],
  entry: FirmwareEntry,
): Promise<void> {
  try {
    const numbers = findOlderTwins(await ctx.read("chroot", [...words, "--verbose"]), entry);
    for (const it of numbers) {
      const deletion = ["--quiet", "--bootnum", it, "--delete-bootnum"];
      await ctx.run("chroot", [...words, ...deletion], { isQuiet: true });
    }
  } catch (error) {
    if (ctx.signal.aborted) throw error;
    const { message } = describeError(error);
    ctx.note(`note: the firmware may have older entries for the same boot loader: ${message}`);
  }
}

/**
 * The numbers of entries that say the same as the first one. Firmware may change the case of paths, and may
 * put another entry first, whose twins are not ours.
 */
function findOlderTwins(text: string, { label, loader }: FirmwareEntry): readonly string[] {
  const [, first] = /^BootOrder: ([0-9A-F]{4})/m.exec(text) ?? [];
  const entries = [...text.matchAll(/^Boot([0-9A-F]{4})[* ] (.+)$/gm)].map(
    ([, number = "", content = ""]) => ({ number, content: content.toLowerCase() }),
  );
  const own = entries.find(({ number }) => number === first)?.content ?? "";
  const isOurs = own.startsWith(`${label}\t`.toLowerCase()) && own.includes(loader.toLowerCase());
  if (!isOurs) return [];
  return entries
    .filter(({ number, content }) => number !== first && content === own)
    .map(({ number }) => number);
}
