// `bootc install finalize`: the last call of an external installer, before it unmounts the new root.
import { BootcError } from "../../errors.ts";
import { readOrigins } from "../../sysroot/deployments.ts";
import type { Context } from "../../system/context.ts";
import { requireRoot } from "../../system/privileges.ts";

/** Checks that the root has a deployment to boot. Currently it changes nothing. */
export async function finalizeInstall(ctx: Context, root: string): Promise<void> {
  await requireRoot(ctx);
  if ((await readOrigins(root)).length > 0) return;
  throw new BootcError(`Failed to find deployment in ${root}`, {
    hint: "give the physical root of an installed system",
  });
}
