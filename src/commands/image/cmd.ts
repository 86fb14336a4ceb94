// `bootc image cmd`: podman's commands for images, on the container storage that belongs to this host.
import { withPodmanStorage } from "../../deploy/bound-images/podman-storage.ts";
import { prepareForWrite, withHostLock } from "../../deploy/prepare-write.ts";
import { runPodmanImage } from "../../programs/podman.ts";
import type { Context } from "../../system/context.ts";

export type PodmanVerb = "list" | "build" | "pull" | "push";

export async function imageCommand(
  ctx: Context,
  verb: PodmanVerb,
  args: readonly string[],
): Promise<void> {
  await prepareForWrite(ctx);
  const work = () =>
    withPodmanStorage(ctx, (storage) => runPodmanImage(ctx, storage, [verb, ...args]));
  if (verb === "list") await work();
  // A clean-up meanwhile would remove what a build has made so far: no deployment needs that.
  else await withHostLock(ctx, { purpose: `running podman image ${verb}` }, work);
}
