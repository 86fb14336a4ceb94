// `bootc updates config`: print the settings of automatic updates, and where each of them comes from.
import { formatCanonicalJson } from "../../format/canonical-json.ts";
import type { Context } from "../../system/context.ts";
import { configAsData, formatConfig } from "../../updates/config/format.ts";
import { readUpdatesConfig, requireRightConfig } from "../../updates/machine/read-config.ts";

export interface UpdatesConfigOptions {
  readonly json?: boolean;
}

export async function updatesConfig(ctx: Context, options: UpdatesConfigOptions): Promise<void> {
  const merged = await readUpdatesConfig(ctx);
  if (options.json === true) {
    ctx.write(`${formatCanonicalJson(configAsData(merged))}\n`);
    return;
  }
  ctx.say(formatConfig(merged));
  requireRightConfig(merged);
}
