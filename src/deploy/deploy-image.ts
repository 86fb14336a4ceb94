// The middle of `upgrade`, `switch` and `edit`: plan, pull and stage an image, and say how it goes.
import { BootcError, toError } from "../errors.ts";
import { assignSlots } from "../host/assemble-host.ts";
import type { Deployment, Sysroot } from "../host/deployment.ts";
import type { BootEntry } from "../host/document.ts";
import { describeBootcLabel, requireBootable } from "../image/config.ts";
import { platformOf } from "../image/platform.ts";
import {
  describeReference,
  type ImageReference,
  type OstreeReference,
} from "../image/reference.ts";
import { cancelEarlierSoftReboot } from "../programs/ostree/admin.ts";
import { type ProgressDisplay, showProgress } from "../progress/show.ts";
import {
  closePlan,
  describePlan,
  type PullPlan,
  plannedImage,
  planPull,
  sumMissing,
} from "../pull/plan/plan.ts";
import { pullImage } from "../pull/pull.ts";
import type { PulledImage, PullRequest } from "../pull/request.ts";
import { removeKilledRuns } from "../repository/clean/leftovers.ts";
import { withProtection } from "../repository/clean/protection.ts";
import { systemRepo } from "../sysroot/sysroot.ts";
import type { Context } from "../system/context.ts";
import { progressDescriptorOf } from "../system/root/private-mounts.ts";
import { tellOfStaged } from "./after-change.ts";
import { withUnifiedCopy } from "./bound-images/unified.ts";
import { cleanAfterStaging } from "./clean-after-staging.ts";
import { describeStaged, type FreshStart, stageImage } from "./stage-image.ts";
import { completeStaged } from "./staging.ts";
import { markStaging, readStagingMark } from "./staging-mark.ts";

/** How an image is pulled, and how the progress of that is shown. */
export interface DeploySettings extends Pick<PullRequest, "lockTimeoutMs" | "limits"> {
  /** Show no progress to people. */
  readonly isQuiet: boolean;
  /** The descriptor that gets progress as JSON lines. */
  readonly progressFd?: number | undefined;
}

export interface DeployRequest {
  readonly reference: OstreeReference;
  readonly booted: Deployment;
  readonly settings: DeploySettings;
  /** Whether the image goes through the host's container storage, even if that does not have it yet. */
  readonly wantsUnified?: boolean | undefined;
  /** Throws if the image with this digest is not wanted. Asked before its layers are fetched. */
  readonly requireWanted?: (digest: string) => Promise<void>;
  /** Called once the image is there, with the compressed size of the layers that were fetched. */
  readonly onPulled?: ((fetchedBytes: number) => void) | undefined;
}

/** Runs `work` with a display of progress that is gone when it returns. */
export async function withProgress<T>(
  ctx: Context,
  { isQuiet, progressFd }: DeploySettings,
  work: (display: ProgressDisplay) => Promise<T>,
): Promise<T> {
  const display = showProgress(ctx, {
    isQuiet,
    jsonDescriptor: progressDescriptorOf(ctx, progressFd),
  });
  try {
    return await work(display);
  } finally {
    await display.finish();
  }
}

/** What the image's reference names now, and which part of it the host lacks. */
export async function planDeploy(
  ctx: Context,
  { reference, booted, settings }: DeployRequest,
  copy?: ImageReference,
): Promise<PullPlan> {
  return await planPull(ctx, {
    repo: systemRepo(ctx),
    reference,
    copy,
    requiresBootable: true,
    policyCommit: booted.checksum,
    lockTimeoutMs: settings.lockTimeoutMs,
    limits: settings.limits,
  });
}

/** Pulls an image and runs `work` on it; until then, no clean-up removes it. */
export async function withPulledImage<T>(
  ctx: Context,
  request: DeployRequest,
  display: ProgressDisplay,
  work: (image: PulledImage) => Promise<T>,
): Promise<T> {
  const { reference, wantsUnified: isWanted = false } = request;
  return await withUnifiedCopy(ctx, { reference, isWanted }, async (refresh) => {
    const plan = await planUnified(ctx, request, refresh);
    await request.requireWanted?.(plannedImage(plan).manifestDigest).catch((error: unknown) => {
      closePlan(plan);
      throw error;
    });
    return await pullPlanned(ctx, plan, display, async (image) => {
      request.onPulled?.(plan.kind === "fetch" ? sumMissing(plan) : 0);
      return await work(image);
    });
  });
}

/** An image that the host's container storage has is brought up to date there, and read from there. */
async function planUnified(
  ctx: Context,
  request: DeployRequest,
  refresh: (() => Promise<ImageReference>) | undefined,
): Promise<PullPlan> {
  if (refresh === undefined) return await planDeploy(ctx, request);
  if (request.reference.image.transport === "registry" && request.wantsUnified !== true) {
    const plan = await planDeploy(ctx, request);
    if (plan.kind !== "fetch") return plan;
  }
  return await planDeploy(ctx, request, await refresh());
}

async function pullPlanned<T>(
  ctx: Context,
  plan: PullPlan,
  { onEvent }: ProgressDisplay,
  work: (image: PulledImage) => Promise<T>,
): Promise<T> {
  const summary = describeDeploy(plan);
  if (summary !== undefined) ctx.say(summary);
  const warning = plan.kind === "fetch" ? describeBootcLabel(plan.offered.config) : undefined;
  if (warning !== undefined) ctx.note(warning);
  return await withProtection(ctx, plan.request.repo, async (protection) =>
    work(await pullImage(ctx, plan, { protection, onEvent })),
  );
}

function describeDeploy(plan: PullPlan): string | undefined {
  if (plan.kind === "fetch") return describePlan(plan);
  const name = describeReference(plan.request.reference);
  return `No changes in ${name} => ${plan.stored.manifestDigest}`;
}

/** Pulls, stages and reports an image, whatever is staged already. */
export async function deployImage(
  ctx: Context,
  request: DeployRequest,
  options: Partial<Pick<DeployPulled, "abandonedRefspec" | "fresh" | "isLocked">>,
): Promise<void> {
  await withProgress(ctx, request.settings, (display) =>
    withPulledImage(ctx, request, display, (image) =>
      deployPulled(ctx, { ...request, isLocked: false, ...options, image }, display),
    ),
  );
}

export interface DeployPulled {
  readonly image: PulledImage;
  /** Staged, but not applied at shutdown. */
  readonly isLocked: boolean;
  /** A branch of a former plain ostree installation, to be given up. */
  readonly abandonedRefspec?: string | undefined;
  /** For a deployment that does not go on where the booted one is. */
  readonly fresh?: FreshStart;
}

/** Stages a pulled image, removes what nothing needs any more, and says what boots next. */
export async function deployPulled(
  ctx: Context,
  request: DeployRequest & DeployPulled,
  display: ProgressDisplay,
): Promise<void> {
  // A pull checks only images that are new to the repository.
  requireBootable(request.image.config, platformOf(process.arch));
  const { manifestDigest: digest } = request.image;
  await markStaging(ctx, { digest, abandonedRefspec: request.abandonedRefspec });
  const isTold = await stageImage(ctx, { ...request, onEvent: display.onEvent });
  display.onEvent({ type: "stage", stage: "cleaning" });
  const { lockTimeoutMs } = request.settings;
  const { abandonedRefspec } = request;
  const cleaned = await cleanAfterStaging(ctx, { abandonedRefspec, lockTimeoutMs, isTold });
  display.onEvent({ type: "stage", stage: "done" });
  display.end();
  if (cleaned !== undefined) ctx.say(cleaned);
  for (const line of describeStaged(request.reference, request.image)) ctx.say(line);
}

/** Completes what is staged already, with all that a killed run has left undone after staging it. */
export async function completeDeploy(
  ctx: Context,
  staged: BootEntry | null,
  lockTimeoutMs: number | undefined,
): Promise<void> {
  await completeStaged(ctx);
  const mark = await readStagingMark(ctx);
  const digest = staged?.image?.imageDigest;
  if (digest === undefined || mark?.digest !== digest) return;
  // It would bypass what was staged after it.
  const stuck = await cancelEarlierSoftReboot(ctx, mark.writtenMs).then(() => undefined, toError);
  const isTold = await tellOfStaged(ctx, { digest, isLocked: staged?.downloadOnly === true });
  if (stuck !== undefined) throw stuck;
  const cleaned = await cleanAfterStaging(ctx, { ...mark, lockTimeoutMs, isLate: true, isTold });
  if (cleaned !== undefined) ctx.say(cleaned);
}

/** The same for a verb that finds its image staged: it pulls nothing, which would remove leftovers. */
export async function completeUnchanged(
  ctx: Context,
  staged: BootEntry,
  lockTimeoutMs: number | undefined,
): Promise<void> {
  await completeDeploy(ctx, staged, lockTimeoutMs);
  await removeKilledRuns(ctx, systemRepo(ctx));
}

export function requireBooted(sysroot: Sysroot): Deployment {
  const { booted } = assignSlots(sysroot.deployments);
  if (booted !== undefined) return booted;
  throw new BootcError("System not booted via bootc", {
    kind: "unsupported",
    hint: "the root of this system is not one of ostree's deployments",
  });
}
