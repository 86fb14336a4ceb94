// `bootc image copy-to-storage`: make a container image of the booted image, or of another stored one.
import { type AccessFlags, accessOf } from "../../cli/options.ts";
import { requireBooted } from "../../deploy/deploy-image.ts";
import { prepareForWrite } from "../../deploy/prepare-write.ts";
import { BootcError } from "../../errors.ts";
import { pushHostImage } from "../../export/host-image.ts";
import {
  formatImageReference,
  type ImageReference,
  parseImageReference,
} from "../../image/reference.ts";
import { canonicalizeReference } from "../../image/registry-name.ts";
import { initPodmanStorage } from "../../programs/podman.ts";
import { requireStoredImage } from "../../repository/images.ts";
import { readSysroot, systemRepo } from "../../sysroot/sysroot.ts";
import type { Context } from "../../system/context.ts";

export interface CopyToStorageOptions extends AccessFlags {
  readonly source?: string;
  readonly target?: string;
}

/** What other implementations call the image; scripts rely on it. */
const DEFAULT_TARGET = "localhost/bootc";

export async function imageCopyToStorage(
  ctx: Context,
  options: CopyToStorageOptions,
): Promise<void> {
  const target = parseTarget(options.target ?? DEFAULT_TARGET);
  const named = options.source === undefined ? undefined : parseImageReference(options.source);
  // The layers get further names in the repository.
  await prepareForWrite(ctx);
  const source = canonicalizeReference(named ?? (await readBootedImage(ctx)));
  const repo = systemRepo(ctx);
  const stored = await requireStoredImage(repo, source);
  const name = formatImageReference(target);
  ctx.say(`Copying local image ${formatImageReference(source)} to ${name} ...`);
  if (target.transport === "containers-storage") await initPodmanStorage(ctx);
  const access = accessOf(options);
  const digest = await pushHostImage(ctx, { target, access }, { repo, stored });
  ctx.say(`Pushed: ${name} ${digest}`);
}

/** A bare name is one in podman's storage; `docker://` and other transports lead elsewhere. */
export function parseTarget(text: string): ImageReference {
  if (/^(docker:\/\/|(oci|oci-archive|docker-archive|dir|containers-storage):)/.test(text)) {
    return parseImageReference(text);
  }
  return parseImageReference(`containers-storage:${text}`);
}

async function readBootedImage(ctx: Context): Promise<ImageReference> {
  const { image } = requireBooted(await readSysroot(ctx)).origin;
  if (image !== undefined) return image.image;
  throw new BootcError("the booted deployment does not come from a container image", {
    kind: "unsupported",
    hint: "name a stored image with --source; `bootc image list` shows them",
  });
}
