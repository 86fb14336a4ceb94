// How skopeo reaches an image: its policy, credentials and certificates.
import { BootcError } from "../../errors.ts";
import type { ImageReference } from "../../image/reference.ts";
import { requireRegistryName } from "../../image/registry-name.ts";
import {
  readAuthFile,
  requireAccessFiles,
  requirePolicyFile,
  requireSecureDefault,
} from "../../programs/skopeo/policy.ts";
import type { RegistryAccess, SkopeoSource } from "../../programs/skopeo/skopeo.ts";
import type { Context } from "../../system/context.ts";
import type { PullRequest } from "../request.ts";

export async function readSource(
  ctx: Context,
  image: ImageReference,
  { reference, access }: Pick<PullRequest, "reference" | "access">,
): Promise<SkopeoSource> {
  if (image.transport === "registry") requireRegistryName(image.name);
  const policyFile = await requirePolicyFile(ctx);
  if (reference.verification.kind === "policy") await requireSecureDefault(policyFile);
  return { image, policyFile, access: await decideAccess(ctx, image, access ?? {}) };
}

/** Without credentials for ostree's images, access is anonymous: podman's own are not looked at. */
async function decideAccess(
  ctx: Context,
  image: ImageReference,
  access: RegistryAccess,
): Promise<RegistryAccess> {
  if (access.isAnonymous && access.authFile !== undefined) {
    throw new BootcError("access cannot be anonymous and use credentials", { kind: "usage" });
  }
  await requireAccessFiles(access);
  if (access.isAnonymous || access.authFile !== undefined) return access;
  if (image.transport !== "registry") return access;
  const authFile = await readAuthFile(ctx);
  return authFile === undefined ? { ...access, isAnonymous: true } : { ...access, authFile };
}
