// `bootc internals systemd-generator`: enable the units that this machine needs at this boot.
import { rm, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type BootFacts, decideBootLinks } from "../../host/boot/boot-units.ts";
import type { Context } from "../../system/context.ts";
import { exists, makeDirectories, readFileIfAny } from "../../system/files.ts";
import { readMount } from "../../system/root/mounts.ts";

/** `dir` is systemd's directory for generated units of normal priority. */
export async function systemdGenerator(ctx: Context, dir: string): Promise<void> {
  const links = decideBootLinks(await readBootFacts(ctx));
  for (const [path, target] of Object.entries(links)) {
    await makeDirectories(dirname(join(dir, path)));
    await rm(join(dir, path), { force: true });
    await symlink(target, join(dir, path));
  }
}

async function readBootFacts(ctx: Context): Promise<BootFacts> {
  const at = (path: string) => join(ctx.root, path);
  return {
    isOstreeBooted: await exists(at("run/ostree-booted")),
    hasSysroot: await exists(at("sysroot")),
    hasShadow: await exists(at("etc/shadow")),
    wantsCleanup: await exists(at("sysroot/etc/bootc-destructive-cleanup")),
    root: await readMount(ctx, "/"),
    fstab: (await readFileIfAny(at("etc/fstab"))) ?? "",
  };
}
