// `bootc internals fixup-etc-fstab`: add `ro` to the root in /etc/fstab if an installer left it out.
import { join } from "node:path";
import { doing } from "../../errors.ts";
import { mendFstab } from "../../host/boot/boot-units.ts";
import { keepLabel } from "../../programs/selinux.ts";
import type { Context } from "../../system/context.ts";
import { readFileIfAny, replaceFile } from "../../system/files.ts";

export async function fixupEtcFstab(ctx: Context): Promise<void> {
  const path = join(ctx.root, "etc/fstab");
  await doing("correcting `/etc/fstab`", async () => {
    const mended = mendFstab((await readFileIfAny(path)) ?? "");
    if (mended === undefined) return;
    await keepLabel(ctx, path, () => replaceFile(path, mended));
    ctx.note("Updated /etc/fstab to add `ro` for `/`");
  });
}
