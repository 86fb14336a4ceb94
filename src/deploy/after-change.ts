// Announces that the next boot has changed: to units, tools that reboot, users without rights.
import { rm, utimes } from "node:fs/promises";
import { join } from "node:path";
import { describeError } from "../errors.ts";
import { publishBootEntries } from "../sysroot/publish-boot-entries.ts";
import type { Context } from "../system/context.ts";
import { makeDirectories, readFileIfAny, replaceFile } from "../system/files.ts";

const REBOOT_REQUIRED = "run/reboot-required";
const REBOOT_MARK = "bootc: Reboot required for image: ";

/** A directory whose time of change `bootc-status-updated.path` watches. */
export async function announceChange(ctx: Context): Promise<void> {
  const dir = join(ctx.root, "sysroot/ostree/bootc");
  await makeDirectories(dir);
  const now = new Date();
  await utimes(dir, now, now);
  try {
    await publishBootEntries(ctx);
  } catch (error) {
    ctx.note(`note: no copy of the boot entries for users: ${describeError(error).message}`);
  }
}

/** Tells tools such as kured, which look at this file, that a reboot brings `digest`. */
export async function requireReboot(ctx: Context, digest: string): Promise<void> {
  await replaceFile(join(ctx.root, REBOOT_REQUIRED), `${REBOOT_MARK}${digest}\n`, { mode: 0o644 });
}

/** Withdraws that if it is ours: a package manager may have its own reasons for a reboot. */
export async function withdrawReboot(ctx: Context): Promise<void> {
  const path = join(ctx.root, REBOOT_REQUIRED);
  if ((await readFileIfAny(path))?.startsWith(REBOOT_MARK)) await rm(path, { force: true });
}
