// Decides on source, target and configuration, and whether the image can be installed, before any change.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { requireBoundImages } from "../deploy/bound-images/install.ts";
import { requireUnifiedName } from "../deploy/bound-images/unified.ts";
import { BootcError, doing } from "../errors.ts";
import { describeBootcLabel } from "../image/config.ts";
import {
  formatImageReference,
  type OstreeReference,
  parseTransport,
  type Verification,
} from "../image/reference.ts";
import { initRepo } from "../programs/ostree/repo.ts";
import { type ImageContent, plannedImage, planPull } from "../pull/plan/plan.ts";
import { type PrepareRoot, readPrepareRoot } from "../sysroot/prepare-root.ts";
import type { Context } from "../system/context.ts";
import { exists } from "../system/files.ts";
import { openDirectory } from "../system/root/file-tree.ts";
import { decideBootloader, requireFirmware } from "./bootloader.ts";
import { showHostDevices } from "./machine/host-devices.ts";
import { showHostDirectories, showOsbuildImages } from "./machine/host-directories.ts";
import { requireLabelRights } from "./machine/label-rights.ts";
import type { InstallConfig } from "./plan/install-config.ts";
import type { Prepared } from "./prepared.ts";
import { readInstallConfig } from "./read-config.ts";
import type { InstallOptions } from "./request.ts";
import { type InstallSource, requireSource } from "./source.ts";

/** Collects and checks everything. Changes nothing, except what this container sees of the machine. */
export async function prepareInstall(ctx: Context, options: InstallOptions): Promise<Prepared> {
  const source = await requireSource(ctx, options.sourceImgref);
  await showOsbuildImages(ctx);
  const config = await readInstallConfig(ctx);
  const sshKeys = await readKeys(options.rootSshAuthorizedKeys);
  if (source.isOwnContainer) {
    requireSupportedRoot(await readPrepareRoot(openDirectory(ctx.root)));
    await decideBootloader(ctx, { options, config }, (path) => exists(join(ctx.root, path)));
    await showHostDevices(ctx);
    await showHostDirectories(ctx);
    await requireBoundImages(ctx, { root: ctx.root, mode: options.boundImages });
  }
  await requireFirmware(ctx, { options, config });
  if (!source.isOwnContainer || (await hasPolicy(ctx))) await requireLabelRights(ctx);
  const target = decideTarget(options, source, config);
  requireUnifiable(options, target);
  const { manifestDigest, config: imageConfig } = await planAlone(ctx, {
    verification: { kind: "none" },
    image: source.image,
  });
  ctx.note(`Installing image: ${formatImageReference(target.image)}`);
  ctx.note(`Digest: ${manifestDigest}`);
  const label = describeBootcLabel(imageConfig);
  if (label !== undefined) ctx.note(label);
  if (options.runFetchCheck) {
    await doing("checking that the target image can be fetched", () => planAlone(ctx, target));
  }
  const stateroot = options.stateroot ?? config?.stateroot ?? "default";
  return { options, config, source, target, stateroot, sshKeys };
}

/** Of an image that somebody has to vouch for, a storage would keep a copy that nobody vouches for. */
function requireUnifiable(options: InstallOptions, { image, verification }: OstreeReference): void {
  if (options.experimentalUnifiedStorage !== true) return;
  requireUnifiedName(image);
  if (verification.kind === "none") return;
  throw new BootcError("an image that a policy has to accept cannot be kept in unified storage", {
    kind: "unsupported",
    hint: "`enforce-container-sigpolicy` is set in the install configuration",
  });
}

/** Whether the image of our container has an SELinux policy. A named source is checked after its pull. */
async function hasPolicy(ctx: Context): Promise<boolean> {
  return await exists(join(ctx.root, "etc/selinux/config"));
}

async function readKeys(path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  return await doing("reading --root-ssh-authorized-keys", () => readFile(path, "utf8"));
}

/** Refuses an image without prepare-root.conf, and one that requires fs-verity for its root. */
export function requireSupportedRoot(prepareRoot: PrepareRoot | undefined): void {
  if (prepareRoot === undefined) throw noPrepareRoot();
  const { composefs } = prepareRoot;
  if (composefs !== "verity" && composefs !== "signed") return;
  throw new BootcError(`the image requires fs-verity: \`composefs.enabled\` is \`${composefs}\``, {
    kind: "unsupported",
    hint: "build it with `enabled = yes` in ostree/prepare-root.conf",
  });
}

function noPrepareRoot(): BootcError {
  return new BootcError("Failed to find ostree/prepare-root.conf in /usr/lib or /etc", {
    kind: "unsupported",
    hint: "the image is not made for ostree; build it from a bootc base image",
  });
}

/** The image that the machine will follow. */
export function decideTarget(
  options: Pick<
    InstallOptions,
    "targetTransport" | "targetImgref" | "enforceContainerSigpolicy" | "sourceImgref"
  >,
  source: InstallSource,
  config: InstallConfig | undefined,
): OstreeReference {
  const isEnforced =
    options.enforceContainerSigpolicy ?? config?.["enforce-container-sigpolicy"] ?? false;
  const verification: Verification = { kind: isEnforced ? "policy" : "none" };
  const name = options.targetImgref ?? source.name;
  if (options.targetTransport !== undefined) {
    return { verification, image: { transport: parseTransport(options.targetTransport), name } };
  }
  // A named source keeps its transport. The transport of our own container is only the local storage.
  const isNamedSource = options.targetImgref === undefined && !source.isOwnContainer;
  const transport = isNamedSource ? source.image.transport : "registry";
  return { verification, image: { transport, name } };
}

/** Plans a pull into a temporary repository, which checks the image without needing a disk. */
async function planAlone(ctx: Context, reference: OstreeReference): Promise<ImageContent> {
  const repo = await mkdtemp(join(tmpdir(), "bootc-install-check-"));
  try {
    await initRepo(ctx, repo, "bare-user");
    const plan = await planPull(ctx, { repo, reference, requiresBootable: true });
    plan.opened?.close();
    return plannedImage(plan);
  } finally {
    await rm(repo, { recursive: true, force: true });
  }
}
