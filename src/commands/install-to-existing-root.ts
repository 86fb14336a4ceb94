// `bootc install to-existing-root`: installs an image over the running system, whatever that is.
import { mkdir, readlink } from "node:fs/promises";
import { BootcError } from "../errors.ts";
import { installOntoFilesystem } from "../install/onto-filesystem.ts";
import type { InstallOptions } from "../install/request.ts";
import type { Context } from "../system/context.ts";
import { exists } from "../system/files.ts";

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
  if (path === DEFAULT_PATH && !(await exists(path))) await bindRunningRoot(ctx);
  await installOntoFilesystem(ctx, options, {
    path,
    replace: options.replace,
    isExistingRoot: true,
    wantsCleanup: options.cleanup ?? false,
    isAcknowledged: options.acknowledgeDestructive ?? false,
    skipsFinalize: true,
  });
}

async function bindRunningRoot(ctx: Context): Promise<void> {
  const [own, first] = await Promise.all([
    readlink("/proc/self/ns/mnt"),
    readlink("/proc/1/ns/mnt"),
  ]);
  // The mounts of another namespace cannot be bound from here.
  if (own !== first) {
    throw new BootcError(`the root of the host is not at \`${DEFAULT_PATH}\``, {
      hint: "run the container with `podman run --privileged --pid=host -v /:/target`",
    });
  }
  await mkdir(DEFAULT_PATH, { recursive: true });
  await ctx.run("mount", ["--rbind", "--make-rslave", "/", DEFAULT_PATH]);
}
