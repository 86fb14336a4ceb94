// `bootc internals bootc-install-completion`: complete a deployment that another installer made.
import { join } from "node:path";
import { completeInstall } from "../../install/complete.ts";
import type { Context } from "../../system/context.ts";

export async function bootcInstallCompletion(
  ctx: Context,
  sysroot: string,
  stateroot: string,
): Promise<void> {
  await completeInstall(ctx, { sysroot, boot: join(sysroot, "boot"), stateroot });
}
