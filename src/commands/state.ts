// `bootc state wipe-ostree`: delete all deployments of a system that does not run from one of them.
import { join } from "node:path";
import { BootcError, doing } from "../errors.ts";
import { readDeploymentOrder } from "../programs/ostree/deployment-order.ts";
import { undeployFirst } from "../programs/ostree/undeploy.ts";
import type { Context } from "../system/context.ts";
import { exists, isSameFile } from "../system/files.ts";
import { requireRoot } from "../system/privileges.ts";
import { findHostRoot } from "../system/root/host-root.ts";

/** Runs in a container as well, with the host's `/ostree` and `/boot` in the places of its own. */
export async function wipeOstree(ctx: Context): Promise<void> {
  await requireRoot(ctx);
  await requireUnused(ctx);
  if (!(await exists(join(ctx.root, "ostree/repo")))) {
    ctx.say("Deleted deployments: 0");
    return;
  }
  const deployments = await readDeploymentOrder(ctx, { sysroot: ctx.root });
  for (const { name } of deployments) {
    await doing(`deleting \`${name}\``, () => undeployFirst(ctx, ctx.root));
  }
  const left = await readDeploymentOrder(ctx, { sysroot: ctx.root });
  if (left.length > 0) throw new BootcError("ostree did not delete all deployments");
  ctx.say(`Deleted deployments: ${deployments.length}`);
}

/** ostree itself notices only without a container that a deployment is in use. */
async function requireUnused(ctx: Context): Promise<void> {
  const host = await findHostRoot(ctx);
  for (const root of [ctx.root, ...(host === undefined ? [] : [host])]) {
    if (!(await exists(join(root, "run/ostree-booted")))) continue;
    const [ours, theirs] = [ctx.root, root].map((it) => join(it, "ostree/repo")) as [
      string,
      string,
    ];
    if (!(await exists(ours)) || !(await isSameFile(ours, theirs))) continue;
    throw new BootcError("this system runs from one of the deployments", {
      kind: "unsupported",
      hint: "`bootc delete-deployment` deletes those that are not booted",
    });
  }
}
