// podman on a machine that is to be replaced: installed if somebody agrees, and given the image.
import { join } from "node:path";
import { BootcError } from "../errors.ts";
import { hasPodmanImage, pullPodmanImage, runInstaller } from "../programs/podman.ts";
import type { Context } from "../system/context.ts";
import { exists } from "../system/files.ts";
import { isInPath } from "../system/find-program.ts";
import { askYesNo, type Prompt } from "./prompt.ts";

/** What the distribution puts there knows its package manager. */
const INSTALL_PODMAN = "/usr/lib/system-reinstall-bootc/install-podman";

export async function ensurePodman(ctx: Context, prompt: Prompt): Promise<void> {
  if (isInPath(ctx, "podman")) return;
  const question =
    "Podman was not found on this system. It's required in order to install a bootc image. " +
    "Do you want to install it now?";
  if (!(await askYesNo(prompt, question, { isDefaultYes: true }))) throw aborted();
  const script = join(ctx.root, INSTALL_PODMAN);
  if (!(await exists(script))) {
    throw new BootcError(
      `Podman installation script ${INSTALL_PODMAN} not found, cannot automatically install podman.`,
      { kind: "unsupported", hint: "install podman, and run this again" },
    );
  }
  await runInstaller(ctx, script);
  if (isInPath(ctx, "podman")) return;
  throw new BootcError("podman is still missing after its installation", {
    hint: "install podman, and run this again",
  });
}

/** Before any question, so that everything asked about the image is answered by the image itself. */
export async function pullIfMissing(ctx: Context, image: string): Promise<void> {
  if (await hasPodmanImage(ctx, image)) {
    ctx.say(`Image ${image} is already present locally, skipping pull.`);
    return;
  }
  ctx.say(`Image ${image} is not present locally, pulling it now.`);
  await pullPodmanImage(ctx, image);
}

/** Somebody answered no. */
export function aborted(): BootcError {
  return new BootcError("Operation aborted", { hint: "nothing of this system was changed" });
}
