// `bootc internals label-etc`: labels the `/etc` of the deployment that boots next, at shutdown.
import { labelFinalizedEtc } from "../../deploy/label-etc.ts";
import { prepareForWrite } from "../../deploy/prepare-write.ts";
import type { Context } from "../../system/context.ts";
import { isSelinuxOn } from "../../system/label.ts";

export async function labelEtcAtShutdown(ctx: Context): Promise<void> {
  // ostree has labelled everything then.
  if (await isSelinuxOn(ctx)) return;
  await prepareForWrite(ctx);
  await labelFinalizedEtc(ctx);
}
