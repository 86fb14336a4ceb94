// `bootc updates check`: ask the registry now, whatever the settings say, and change nothing else.
import { prepareForWrite } from "../../deploy/prepare-write.ts";
import type { Context } from "../../system/context.ts";
import { checkForUpdate } from "../../updates/machine/check.ts";
import { judgeDueStep } from "../../updates/machine/judge.ts";
import { readSituation } from "../../updates/machine/situation.ts";
import { REAL_SURROUNDINGS } from "../../updates/machine/surroundings.ts";
import { assembleStatus, formatStatus } from "../../updates/status.ts";

export async function updatesCheck(ctx: Context): Promise<void> {
  await prepareForWrite(ctx);
  await checkForUpdate(ctx, REAL_SURROUNDINGS.now());
  const situation = await readSituation(ctx, REAL_SURROUNDINGS.now());
  const { block } = await judgeDueStep(ctx, situation);
  ctx.say(formatStatus(assembleStatus(situation, block)));
}
