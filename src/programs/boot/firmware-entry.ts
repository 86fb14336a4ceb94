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
