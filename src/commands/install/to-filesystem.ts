// `bootc install to-filesystem`: install an image to a mounted root file system.
import { installOntoFilesystem } from "../../install/onto-filesystem.ts";
import type { InstallOptions } from "../../install/request.ts";
import type { Context } from "../../system/context.ts";

export interface ToFilesystemOptions extends InstallOptions {
  readonly rootMountSpec?: string;
  readonly bootMountSpec?: string;
  readonly replace?: "wipe" | "alongside";
  readonly acknowledgeDestructive?: boolean;
  readonly skipFinalize?: boolean;
}

export async function installToFilesystem(
  ctx: Context,
  path: string,
  options: ToFilesystemOptions,
): Promise<void> {
  const { rootMountSpec, bootMountSpec, replace } = options;
  await installOntoFilesystem(ctx, options, {
    path,
    ...(replace === undefined ? {} : { replace }),
    ...(rootMountSpec === undefined ? {} : { rootMountSpec }),
    ...(bootMountSpec === undefined ? {} : { bootMountSpec }),
    isExistingRoot: false,
    wantsCleanup: false,
    isAcknowledged: options.acknowledgeDestructive ?? false,
    skipsFinalize: options.skipFinalize ?? false,
  });
}
