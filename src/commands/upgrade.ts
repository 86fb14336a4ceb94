// `bootc upgrade`: stage the newest version of the image that this host follows.
import { type DeployFlags, deploySettingsOf, lockTimeoutOf } from "../cli/options.ts";
import { tellOfStaged } from "../deploy/after-change.ts";
import {
  completeDeploy,
  type DeployRequest,
  deployPulled,
  requireBooted,
  withProgress,
  withPulledImage,
} from "../deploy/deploy-image.ts";
import { findUpdate } from "../deploy/find-update.ts";
import { answerInJson, quietFor } from "../deploy/json-answer.ts";
import { prepareForWrite, withHostLock } from "../deploy/prepare-write.ts";
import { requireSoftReboot, type SoftRebootMode, softReboot } from "../deploy/soft-reboot.ts";
import { describeContent, describeDifference } from "../deploy/stage-image.ts";
import { whileMarked } from "../deploy/staging-mark.ts";
import { BootcError, explainError } from "../errors.ts";
import { assembleHost } from "../host/assemble-host.ts";
import type { Deployment } from "../host/deployment.ts";
import type { BootEntry, HostDocument } from "../host/document.ts";
import {
  decideFromDownloaded,
  decideLock,
  decideUpgrade,
  type LockDecision,
  requireUpgradeTarget,
} from "../host/upgrade.ts";
import { describeReference, type OstreeReference } from "../image/reference.ts";
import { setFinalizationLock } from "../programs/ostree/admin.ts";
import { reboot } from "../programs/systemd.ts";
import type { ProgressDisplay } from "../progress/show.ts";
import type { PulledImage } from "../pull/request.ts";
import { readSysroot } from "../sysroot/sysroot.ts";
import type { Context } from "../system/context.ts";
import { readHold, releaseImage } from "../updates/machine/held.ts";

export interface UpgradeOptions extends DeployFlags {
  readonly check?: boolean;
  readonly apply?: boolean;
  readonly softReboot?: SoftRebootMode;
  readonly downloadOnly?: boolean;
  readonly fromDownloaded?: boolean;
  readonly tag?: string;
  readonly forceHeld?: boolean;
}

/** `onPulled` is for the automatic updates, which count what they fetch. */
export async function upgrade(
  ctx: Context,
  options: UpgradeOptions,
  onPulled?: DeployRequest["onPulled"],
): Promise<void> {
  await prepareForWrite(ctx, { progressDescriptor: options.progressFd });
  const isThere = options.fromDownloaded === true;
  await requireSoftReboot(ctx, options.softReboot, { slot: "staged", isThere });
  const quiet = quietFor(ctx, options);
  const timeoutMs = lockTimeoutOf(options);
  const work = () => upgradeOrCheck(quiet, options, onPulled);
  // A check changes no deployment, so it need not wait for runs that do.
  const lock = { purpose: "upgrading", timeoutMs, removesSuperseded: true };
  const isStaged = options.check === true ? await work() : await withHostLock(quiet, lock, work);
  if (isStaged) await softReboot(quiet, options.softReboot, "staged");
  await answerInJson(ctx, options);
  if (isStaged && options.apply === true) await reboot(ctx);
}

interface Upgrade {
  readonly options: UpgradeOptions;
  readonly host: HostDocument;
  readonly booted: Deployment;
  readonly reference: OstreeReference;
  readonly onPulled: DeployRequest["onPulled"];
}

/** Returns whether something is staged afterwards. */
async function upgradeOrCheck(
  ctx: Context,
  options: UpgradeOptions,
  onPulled: DeployRequest["onPulled"],
): Promise<boolean> {
  const sysroot = await readSysroot(ctx);
  const host = assembleHost(sysroot);
  const reference = requireUpgradeTarget(host, options.tag);
  if (options.fromDownloaded === true) {
    const { booted, staged } = host.status;
    const decision = decideFromDownloaded(staged, reference);
    const { requireWanted, release } = judgeHeld(ctx, options, booted);
    if (staged?.image) await requireWanted(staged.image.imageDigest);
    await applyLock(ctx, decision, { staged, lockTimeoutMs: lockTimeoutOf(options) });
    await release();
    return true;
  }
  const booted = requireBooted(sysroot);
  const upgrade: Upgrade = { options, host, booted, reference, onPulled };
  return options.check === true ? await check(ctx, upgrade) : await pullAndStage(ctx, upgrade);
}

async function check(ctx: Context, upgrade: Upgrade): Promise<false> {
  const { host, booted, reference } = upgrade;
  const settings = deploySettingsOf(upgrade.options);
  const { decision, image } = await findUpdate(ctx, host, { reference, booted, settings });
  const name = describeReference(reference);
  if (decision !== "available") {
    ctx.say(`No changes in: ${name}`);
    return false;
  }
  ctx.say(`Update available for: ${name}`);
  for (const line of describeContent(image)) ctx.say(line);
  for (const line of describeDifference(booted, image)) ctx.say(line);
  return false;
}

async function pullAndStage(ctx: Context, upgrade: Upgrade): Promise<boolean> {
  const { reference, booted, onPulled } = upgrade;
  const settings = deploySettingsOf(upgrade.options);
  const { requireWanted, release } = judgeHeld(ctx, upgrade.options, upgrade.host.status.booted);
  const request = { reference, booted, settings, requireWanted, onPulled };
  const isStaged = await withProgress(ctx, settings, (display) =>
    withPulledImage(ctx, request, display, (image) =>
      stageOrKeep(ctx, upgrade, { request, image, display }),
    ),
  );
  await release();
  return isStaged;
}

/** An image that did not prove itself, or that a person holds, is staged only when asked for twice. */
function judgeHeld(ctx: Context, options: UpgradeOptions, booted: BootEntry | null) {
  let forced: string | undefined;
  const requireWanted = async (digest: string): Promise<void> => {
    if (booted?.image?.imageDigest === digest) return;
    const hold = await readHold(ctx, digest);
    if (hold === undefined) return;
    if (options.forceHeld !== true) {
      throw new BootcError(hold.why, {
        kind: "policy",
        hint: hold.isKnown
          ? "`--force-held` stages it nevertheless; `bootc updates release` releases it"
          : "`--force-held` upgrades nevertheless; `bootc updates resume` starts anew",
      });
    }
    ctx.note(`warning: ${hold.why}`);
    if (hold.isKnown) forced = digest;
  };
  const release = async (): Promise<void> => {
    if (forced === undefined) return;
    try {
      await releaseImage(ctx, forced);
    } catch (error) {
      // What a person asked for is staged by now.
      ctx.note(`warning: \`${forced}\` is still held: ${explainError(error)}`);
    }
  };
  return { requireWanted, release };
}

interface Pulled {
  readonly request: DeployRequest;
  readonly image: PulledImage;
  readonly display: ProgressDisplay;
}

async function stageOrKeep(
  ctx: Context,
  { options, host, booted }: Upgrade,
  { request, image, display }: Pulled,
): Promise<boolean> {
  const isDownloadOnly = options.downloadOnly === true;
  const { staged } = host.status;
  switch (decideUpgrade(host.status, image.manifestDigest)) {
    case "staged":
      display.end();
      if (staged !== null) {
        const lockTimeoutMs = lockTimeoutOf(options);
        await applyLock(ctx, decideLock(staged, { isDownloadOnly }), { staged, lockTimeoutMs });
      }
      return true;
    case "current":
      display.end();
      ctx.say("No update available.");
      return false;
    case "available":
      await deployPulled(ctx, { ...request, image, isLocked: isDownloadOnly }, display);
      for (const line of describeDifference(booted, image)) ctx.say(line);
      return true;
  }
}

interface LockTarget {
  readonly staged: BootEntry | null;
  readonly lockTimeoutMs: number | undefined;
}

async function applyLock(
  ctx: Context,
  { change, message }: LockDecision,
  { staged, lockTimeoutMs }: LockTarget,
): Promise<void> {
  await completeDeploy(ctx, staged, lockTimeoutMs);
  if (change !== "keep") await changeLock(ctx, change, staged?.image?.imageDigest);
  ctx.say(message);
}

async function changeLock(
  ctx: Context,
  change: "lock" | "unlock",
  digest: string | undefined,
): Promise<void> {
  const isLocked = change === "lock";
  await whileMarked(ctx, digest, async () => {
    await setFinalizationLock(ctx, isLocked ? "locked" : "unlocked");
    return await tellOfStaged(ctx, { digest, isLocked });
  });
}
