// `bootc switch`: follow another image from now on.
import { type DeployWords, deployImage, requireBooted } from "../deploy/deploy-image.ts";
import { answerInJson, silenceFor } from "../deploy/json-answer.ts";
import { prepareForWrite, withHostLock } from "../deploy/prepare-write.ts";
import { requireSoftReboot, type SoftRebootMode, softReboot } from "../deploy/soft-reboot.ts";
import { assembleHost } from "../host/assemble-host.ts";
import { isSameImage, parseSwitchTarget } from "../host/switch.ts";
import { describeReference, type OstreeReference } from "../image/reference.ts";
import { reboot } from "../programs/reboot.ts";
import { limitsOfWords } from "../pull/request.ts";
import { mutateOriginInPlace, readSysroot } from "../sysroot/sysroot.ts";
import type { Context } from "../system/context.ts";

export interface SwitchOptions extends DeployWords {
  readonly transport: string;
  readonly enforceContainerSigpolicy?: boolean;
  readonly retain?: boolean;
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
    silenceFor(ctx, options).say(`Updated ${deployment} to pull from ${describeReference(target)}`);
    return await answerInJson(ctx, options);
  }
  await prepareForWrite(ctx, { progressDescriptor: options.progressFd });
  await requireSoftReboot(ctx, options.softReboot, { slot: "staged", isThere: false });
  const talk = silenceFor(ctx, options);
  const outcome = await withHostLock(
    talk,
    {
      purpose: "switching",
      timeoutMs: limitsOfWords(options).lockTimeoutMs,
    },
    () => switchLocked(talk, target, options),
  );
  if (outcome !== "nothing") await softReboot(talk, options.softReboot, "staged");
  await answerInJson(ctx, options);
  if (outcome !== "nothing" && options.apply === true) await reboot(ctx);
}

/** `unchanged`: it was followed already, and something is staged. */
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
    return host.status.staged === null ? "nothing" : "unchanged";
  }
  const booted = requireBooted(sysroot);
  // A host that was installed from a plain ostree branch keeps its content until the ref goes.
  const abandonedRefspec = options.retain === true ? undefined : booted.origin.refspec;
  await deployImage(ctx, { reference, booted, words: options }, { abandonedRefspec });
  return "staged";
}
