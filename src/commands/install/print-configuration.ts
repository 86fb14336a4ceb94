// `bootc install print-configuration`: print the merged install configuration, for other installers.
import { formatInstallConfig } from "../../install/plan/install-config.ts";
import { readInstallConfig } from "../../install/read-config.ts";
import type { Context } from "../../system/context.ts";

export interface PrintConfigurationOptions {
  readonly all?: boolean;
}

export async function printInstallConfiguration(
  ctx: Context,
  options: PrintConfigurationOptions,
): Promise<void> {
  const config = await readInstallConfig(ctx);
  ctx.write(formatInstallConfig(config, options.all ?? false));
}
