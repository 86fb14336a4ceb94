// Reads what /usr/lib/bootc/health has written about the trial of a new system.
import { basename, join } from "node:path";
import { nameDeployment } from "../../host/deployment.ts";
import { readSysroot } from "../../sysroot/sysroot.ts";
import type { Context } from "../../system/context.ts";
import { readFileIfAny } from "../../system/files.ts";
import { NO_TRIAL, parseTrial, type Trial, type TrialEnd } from "../trial.ts";

const DIRECTORY = "sysroot/ostree/bootc/health";

export async function readTrial(ctx: Context): Promise<Trial> {
  const text = await readFileIfAny(join(ctx.root, DIRECTORY, "trial"));
  return text === undefined ? NO_TRIAL : parseTrial(text);
}

export async function readTrialEnd(
  ctx: Context,
  asked: Pick<TrialEnd, "verdict" | "isProved" | "nowMs">,
): Promise<TrialEnd> {
  const trial = await readTrial(ctx);
  const reasonAt = async (path: string) => (await readFileIfAny(join(ctx.root, path))) ?? "";
  return {
    ...asked,
    state: trial.state,
    image: await readImage(ctx, trial),
    trialReason: await reasonAt(`${DIRECTORY}/reason`),
    ownReason: await reasonAt("run/bootc/health-reason"),
  };
}

/** The image of the deployment on trial, or of the one that runs. */
async function readImage(ctx: Context, { newDeployment }: Trial): Promise<TrialEnd["image"]> {
  const { deployments } = await readSysroot(ctx);
  const name = basename(newDeployment);
  const found = deployments.find((it) =>
    newDeployment === "" ? it.isBooted : nameDeployment(it) === name,
  );
  return found?.content;
}
