// `bootc switch`: follow another image from now on.
import { type DeployFlags, deploySettingsOf, lockTimeoutOf } from "../cli/options.ts";
import { completeUnchanged, deployImage, requireBooted } from "../deploy/deploy-image.ts";
import { answerInJson, quietFor } from "../deploy/json-answer.ts";
import { prepareForWrite, withHostLock } from "../deploy/prepare-write.ts";
import { requireSoftReboot, type SoftRebootMode, softReboot } from "../deploy/soft-reboot.ts";
import { assembleHost } from "../host/assemble-host.ts";
import { isSameImage, parseSwitchTarget } from "../host/switch.ts";
import { describeReference, type OstreeReference } from "../image/reference.ts";
import { reboot } from "../programs/systemd.ts";
import { mutateOriginInPlace, readSysroot } from "../sysroot/sysroot.ts";
import type { Context } from "../system/context.ts";

export interface SwitchOptions extends DeployFlags {
  readonly transport: string;
  readonly enforceContainerSigpolicy?: boolean;
  readonly retain?: boolean;
  readonly experimentalUnifiedStorage?: boolean;
  readonly mutateInPlace?: boolean;
  readonly apply?: boolean;
  readonly softReboot?: SoftRebootMode;
}

export async function switchImage(
  ctx: Context,
  name: string,
  options: SwitchOptions,
): Promise<void> {
  const target = parseSwitchTarget(name, {
    transport: options.transport,
    enforcesPolicy: options.enforceContainerSigpolicy === true,
  });
  if (options.mutateInPlace === true) {
    const deployment = await mutateOriginInPlace(ctx, target);
    quietFor(ctx, options).say(`Updated ${deployment} to pull from ${describeReference(target)}`);
    return await answerInJson(ctx, options);
  }
  await prepareForWrite(ctx, { progressDescriptor: options.progressFd });
  await requireSoftReboot(ctx, options.softReboot, { slot: "staged", isThere: false });
  const quiet = quietFor(ctx, options);
  const outcome = await withHostLock(
    quiet,
    { purpose: "switching", timeoutMs: lockTimeoutOf(options), removesSuperseded: true },
    () => switchLocked(quiet, target, options),
  );
  if (outcome !== "nothing") await softReboot(quiet, options.softReboot, "staged");
  await answerInJson(ctx, options);
  if (outcome !== "nothing" && options.apply === true) await reboot(ctx);
}

/** `unchanged`: the host already follows the image, and something is staged. */
type Outcome = "staged" | "unchanged" | "nothing";

async function switchLocked(
  ctx: Context,
  reference: OstreeReference,
  options: SwitchOptions,
): Promise<Outcome> {
  const sysroot = await readSysroot(ctx);
  const host = assembleHost(sysroot);
  if (isSameImage(host.spec.image, reference)) {
    ctx.say("Image specification is unchanged.");
    if (host.status.staged === null) return "nothing";
    await completeUnchanged(ctx, host.status.staged, lockTimeoutOf(options));
    return "unchanged";
  }
  const booted = requireBooted(sysroot);
  // On a host that was installed from a plain ostree branch, the ref keeps the branch's content.
  const abandonedRefspec = options.retain === true ? undefined : booted.origin.refspec;
  const wantsUnified = options.experimentalUnifiedStorage;
  const request = { reference, booted, wantsUnified, settings: deploySettingsOf(options) };
  await deployImage(ctx, request, { abandonedRefspec });
  return "staged";
}
