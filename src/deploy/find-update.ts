// Asks the registry what the host's reference names now, and remembers an update for `status`.
import type { HostDocument } from "../host/document.ts";
import { decideUpgrade, type UpgradeDecision } from "../host/upgrade.ts";
import {
  closePlan,
  forgetUpdate,
  type ImageContent,
  type PullPlan,
  plannedImage,
  recordUpdate,
} from "../pull/plan/plan.ts";
import type { Context } from "../system/context.ts";
import { announceChange } from "./after-change.ts";
import { type DeployRequest, planDeploy, withProgress } from "./deploy-image.ts";

export interface OfferedImage {
  readonly decision: UpgradeDecision;
  readonly image: ImageContent;
}

/** Changes no deployment, so it need not wait for runs that do. */
export async function findUpdate(
  ctx: Context,
  host: HostDocument,
  request: DeployRequest,
): Promise<OfferedImage> {
  const plan = await withProgress(ctx, request.settings, () => planDeploy(ctx, request));
  closePlan(plan);
  const image = plannedImage(plan);
  const decision = decideUpgrade(host.status, image.manifestDigest);
  if (decision === "available") {
    await recordUpdate(ctx, plan);
    await announceChange(ctx);
  } else {
    await forgetSeen(ctx, host, plan);
  }
  return { decision, image };
}

/** Forgets the update that an earlier check found, if the registry no longer offers it. */
async function forgetSeen(ctx: Context, host: HostDocument, plan: PullPlan): Promise<void> {
  const { staged, booted } = host.status;
  const seen = (staged ?? booted)?.cachedUpdate;
  if (!seen || seen.imageDigest === plannedImage(plan).manifestDigest) return;
  await forgetUpdate(ctx, plan);
  await announceChange(ctx);
}
