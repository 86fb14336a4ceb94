// Whether SELinux of the running system lets us set labels it does not know; those of the image may be such.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BootcError } from "../../errors.ts";
import { setLabel } from "../../programs/selinux.ts";
import type { Context } from "../../system/context.ts";
import { readFileIfAny } from "../../system/files.ts";
import { findHostRoot } from "../../system/host-root.ts";
import { failureOf } from "../../system/run.ts";

/** Has enforcement switched off while labels are set, where nothing else helps. */
const FALLBACK = "BOOTC_SETENFORCE0_FALLBACK";

/** In no policy. */
const UNKNOWN_LABEL = "system_u:object_r:invalid_bootcinstall_testlabel_t:s0";

/** Refuses a machine that enforces its policy on us, unless it may be told not to. Changes nothing. */
export async function requireLabelRights(ctx: Context): Promise<void> {
  if (ctx.env[FALLBACK] !== undefined || (await findObstacle(ctx)) === undefined) return;
  throw new BootcError(
    "SELinux of this machine lets no labels be set that its policy does not know",
    {
      kind: "unsupported",
      hint: `set \`${FALLBACK}=1\` to have it permissive while the image is installed`,
    },
  );
}

/** Runs `work` where labels can be set; with the fallback, enforcement is back on afterwards. */
export async function withLabelRights<T>(ctx: Context, work: () => Promise<T>): Promise<T> {
  const switchFile = ctx.env[FALLBACK] === undefined ? undefined : await findObstacle(ctx);
  if (switchFile === undefined) return await work();
  ctx.note("warning: SELinux of this machine is permissive until the image is installed");
  await writeFile(switchFile, "0");
  try {
    return await work();
  } finally {
    await writeFile(switchFile, "1");
  }
}

/** The switch of an SELinux that keeps us from setting labels; a container sees that of its host. */
async function findObstacle(ctx: Context): Promise<string | undefined> {
  const path = join((await findHostRoot(ctx)) ?? ctx.root, "sys/fs/selinux/enforce");
  if ((await readFileIfAny(path))?.trim() !== "1") return undefined;
  return (await canSetAnyLabel(ctx)) ? undefined : path;
}

async function canSetAnyLabel(ctx: Context): Promise<boolean> {
  const dir = await mkdtemp(join(tmpdir(), "bootc-label-"));
  try {
    await setLabel(ctx, dir, UNKNOWN_LABEL);
    return true;
  } catch (error) {
    // A program that is missing, or was ended, says nothing of labels.
    if (failureOf(error)?.exitCode === undefined) throw error;
    return false;
  } finally {
    await rm(dir, { recursive: true });
  }
}
