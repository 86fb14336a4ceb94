// The booted system's repository, mounted read-only for everybody, made writable for us alone.
import { join } from "node:path";
import { BootcError } from "../errors.ts";
import { makeWritable } from "../programs/disk/mount.ts";
import type { Context } from "../system/context.ts";
import { exists, isSameFile } from "../system/files.ts";
import { readPrivileges } from "../system/privileges.ts";
import { isOnReadOnlyMedium, readMount } from "../system/root/mounts.ts";
import { enterPrivateMounts } from "../system/root/private-mounts.ts";
import { readHostKind } from "./host-kind.ts";

export interface WritableOptions {
  /** Where progress goes, which must survive a restart of the program. */
  readonly progressDescriptor?: number | undefined;
}

/** Makes `/sysroot`, and a `/boot` of its own, writable in a private mount namespace. May restart us. */
export async function makeSysrootWritable(
  ctx: Context,
  { progressDescriptor }: WritableOptions = {},
): Promise<void> {
  if (await isOnReadOnlyMedium(ctx, "/sysroot")) {
    throw new BootcError("Cannot perform this operation: /sysroot is on a read-only block device", {
      kind: "unsupported",
    });
  }
  // systemd may mount /boot on demand, but not inside our own namespace, so have it do that now.
  await exists(join(ctx.root, "boot/loader"));
  await enterPrivateMounts(ctx, { progressDescriptor });
  for (const path of ["/sysroot", "/boot"]) {
    const mount = await readMount(ctx, path);
    if (mount?.isReadOnly) await makeWritable(ctx, path);
  }
}

/** The same if `repo` is the booted system's repository; leaves any other alone. */
export async function makeRepositoryWritable(ctx: Context, repo: string): Promise<void> {
  if (!(await isBootedRepository(ctx, repo)) || !(await readPrivileges(ctx)).isRoot) return;
  if ((await readMount(ctx, "/sysroot"))?.isReadOnly) await makeSysrootWritable(ctx);
}

/** Whether `repo`, by whatever path, is the repository of the system that is booted. */
export async function isBootedRepository(ctx: Context, repo: string): Promise<boolean> {
  if ((await readHostKind(ctx)) !== "ostree") return false;
  const booted = join(ctx.root, "sysroot/ostree/repo");
  return (await exists(repo)) && (await isSameFile(repo, booted));
}
