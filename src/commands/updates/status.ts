// `bootc updates status`: what automatic updates would do now, and why not.
import { formatCanonicalJson } from "../../format/canonical-json.ts";
import type { Context } from "../../system/context.ts";
import { readPrivileges } from "../../system/privileges.ts";
import { judgeDueStep } from "../../updates/machine/judge.ts";
import { readSituation } from "../../updates/machine/situation.ts";
import { REAL_SURROUNDINGS, type Surroundings } from "../../updates/machine/surroundings.ts";
import { assembleStatus, formatStatus } from "../../updates/status.ts";

export interface UpdatesStatusOptions {
  readonly json?: boolean;
}

export async function updatesStatus(ctx: Context, options: UpdatesStatusOptions): Promise<void> {
  await showUpdatesStatus(ctx, REAL_SURROUNDINGS, options);
}

export async function showUpdatesStatus(
  ctx: Context,
  { now }: Pick<Surroundings, "now">,
  { json }: UpdatesStatusOptions,
): Promise<void> {
  const situation = await readSituation(ctx, now());
  // Programs of the administrator expect to be started by root, and by the run alone.
  const { block } = await judgeDueStep(ctx, situation, {
    without: (await isRoot(ctx)) ? [] : ["programs"],
  });
  const status = assembleStatus(situation, block);
  if (json === true) ctx.write(`${formatCanonicalJson(status)}\n`);
  else ctx.say(formatStatus(status));
}

async function isRoot(ctx: Context): Promise<boolean> {
  return await readPrivileges(ctx).then(
    (it) => it.isRoot,
    () => false,
  );
}
