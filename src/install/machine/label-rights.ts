// Whether the running SELinux lets us set labels that its policy does not know, as the image may have some.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BootcError } from "../../errors.ts";
import { setLabel } from "../../programs/selinux.ts";
import type { Context } from "../../system/context.ts";
import { readFileIfAny } from "../../system/files.ts";
import { findHostRoot } from "../../system/root/host-root.ts";
import { failureOf } from "../../system/run.ts";

/** If set, SELinux is switched to permissive where labels cannot be set otherwise. */
const FALLBACK = "BOOTC_SETENFORCE0_FALLBACK";

/** A label that no policy knows. */
const UNKNOWN_LABEL = "system_u:object_r:invalid_bootcinstall_testlabel_t:s0";

/** Refuses a machine whose SELinux rejects unknown labels, unless the fallback is set. Changes nothing. */
export async function requireLabelRights(ctx: Context): Promise<void> {
  if (ctx.env[FALLBACK] !== undefined || (await findObstacle(ctx)) === undefined) return;
  throw new BootcError("this machine's SELinux rejects labels that its policy does not know", {
    kind: "unsupported",
    hint: `set \`${FALLBACK}=1\` to make SELinux permissive while the image is installed`,
  });
}

/** Runs `work`, with SELinux permissive meanwhile if the fallback is set and needed. */
export async function withLabelRights<T>(ctx: Context, work: () => Promise<T>): Promise<T> {
  const switchFile = ctx.env[FALLBACK] === undefined ? undefined : await findObstacle(ctx);
  if (switchFile === undefined) return await work();
  ctx.note("warning: this machine's SELinux is permissive until the image is installed");
  await writeFile(switchFile, "0");
  try {
    return await work();
  } finally {
    await writeFile(switchFile, "1");
  }
}

/** The file that switches enforcement, if SELinux rejects unknown labels. A container needs the host's. */
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
    // A missing or killed program says nothing about labels.
    if (failureOf(error)?.exitCode === undefined) throw error;
    return false;
  } finally {
    await rm(dir, { recursive: true });
  }
}
