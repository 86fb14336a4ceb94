// `bootc install to-existing-root`: install an image over the running system, of whatever kind.
import { mkdir, readlink, rmdir } from "node:fs/promises";
import { BootcError } from "../../errors.ts";
import { installOntoFilesystem } from "../../install/onto-filesystem.ts";
import type { InstallOptions } from "../../install/request.ts";
import { withTreeBound } from "../../programs/disk/mount.ts";
import type { Context } from "../../system/context.ts";
import { exists } from "../../system/files.ts";
import { requireRoot } from "../../system/privileges.ts";

const DEFAULT_PATH = "/target";

export interface ToExistingRootOptions extends InstallOptions {
  readonly replace: "wipe" | "alongside";
  readonly acknowledgeDestructive?: boolean;
  readonly cleanup?: boolean;
}

export async function installToExistingRoot(
  ctx: Context,
  path: string = DEFAULT_PATH,
  options: ToExistingRootOptions,
): Promise<void> {
  const install = async () =>
    await installOntoFilesystem(ctx, options, {
      path,
      replace: options.replace,
      isExistingRoot: true,
      wantsCleanup: options.cleanup ?? false,
      isAcknowledged: options.acknowledgeDestructive ?? false,
      skipsFinalize: true,
    });
  if (path === DEFAULT_PATH && !(await exists(path))) await withRunningRoot(ctx, install);
  else await install();
}

/** Runs `work` while the running system's mounts are also at the default path. */
async function withRunningRoot(ctx: Context, work: () => Promise<void>): Promise<void> {
  await requireRoot(ctx);
  await requireHostMounts();
  await mkdir(DEFAULT_PATH);
  try {
    await withTreeBound(ctx, { source: "/", path: DEFAULT_PATH }, work);
  } finally {
    await rmdir(DEFAULT_PATH);
  }
}

/** Refuses to go on in another mount namespace than the host's, whose mounts cannot be bound from there. */
async function requireHostMounts(): Promise<void> {
  const [own, first] = await Promise.all([
    readlink("/proc/self/ns/mnt"),
    readlink("/proc/1/ns/mnt"),
  ]);
  if (own === first) return;
  throw new BootcError(`the root of the host is not at \`${DEFAULT_PATH}\``, {
    hint: "run the container with `podman run --privileged --pid=host -v /:/target`",
  });
}
