// Stages a pulled image: checks, kernel arguments, bound images, the deployment, the announcement.
import { join } from "node:path";
import { BootcError, doing } from "../errors.ts";
import {
  type EntryKeys,
  ownedKargs,
  ownersOf,
  parseEntryKeys,
  repeatRequests,
} from "../host/boot/option-sources.ts";
import { type Deployment, nameDeployment } from "../host/deployment.ts";
import { collectKargs, updateKargs } from "../host/image-kargs.ts";
import { addKargs, formatKargs, type Karg, parseKargs } from "../host/kargs.ts";
import { describeManifestDifference } from "../host/manifest-difference.ts";
import { versionOf } from "../image/config.ts";
import { describeReference, type OstreeReference } from "../image/reference.ts";
import { formatOrigin } from "../ostree/origin.ts";
import { printable } from "../printable.ts";
import { initStateroot } from "../programs/ostree/admin.ts";
import { STAGING_MESSAGE_ID, writeJournal } from "../programs/systemd.ts";
import type { OnPullEvent } from "../progress/progress.ts";
import type { PulledImage } from "../pull/request.ts";
import { openCommit } from "../repository/tree.ts";
import { readEntryTextOf } from "../sysroot/boot-entries.ts";
import { readKargsFiles } from "../sysroot/image-kargs.ts";
import { deploymentDir } from "../sysroot/paths.ts";
import { readStagedEntryKeys } from "../sysroot/staged.ts";
import { systemRepo } from "../sysroot/sysroot.ts";
import type { Context } from "../system/context.ts";
import { exists } from "../system/files.ts";
import { isSelinuxOn } from "../system/label.ts";
import { openDirectory } from "../system/root/file-tree.ts";
import { tellOfStaged } from "./after-change.ts";
import { fetchBoundImages } from "./bound-images/find.ts";
import { requireBootRoom } from "./shutdown/boot-room.ts";
import { notePolicyRefresh } from "./shutdown/policy-refresh.ts";
import { stage } from "./staging.ts";

/** A deployment that takes nothing over from the booted one, except how to find its root. */
export interface FreshStart {
  readonly stateroot: string;
  readonly rootKargs: readonly Karg[];
  /** Those of the command line, which come after the image's. */
  readonly userKargs: readonly Karg[];
}

export interface StageImageRequest {
  readonly image: Pick<PulledImage, "commit" | "manifestDigest">;
  readonly reference: OstreeReference;
  readonly booted: Deployment;
  readonly isLocked: boolean;
  readonly onEvent: OnPullEvent;
  /** By default, the deployment goes on where the booted one is. */
  readonly fresh?: FreshStart | undefined;
}

/**
 * Stages a pulled image. What this leaves in the repository is for the caller to clean up. Resolves to
 * whether the file that asks for a reboot is as it should be.
 */
export async function stageImage(ctx: Context, request: StageImageRequest): Promise<boolean> {
  const { image, reference, booted, fresh } = request;
  const name = describeReference(reference);
  return await doing(`staging ${name}`, async () => {
    await writeJournal(ctx, {
      messageId: STAGING_MESSAGE_ID,
      message: `Staging image ${name}`,
      fields: {
        BOOTC_IMAGE_REFERENCE: reference.image.name,
        BOOTC_IMAGE_TRANSPORT: reference.image.transport,
        BOOTC_MANIFEST_DIGEST: image.manifestDigest,
      },
    });
    request.onEvent({ type: "stage", stage: "deploying" });
    const repo = systemRepo(ctx);
    const stateroot = fresh?.stateroot ?? booted.stateroot;
    await requireBootRoom(ctx, { repo, commit: image.commit, stateroot });
    await notePolicyRefresh(ctx, { repo, commit: image.commit });
    const owners = ownersOf(fresh === undefined ? await readStagedEntryKeys(ctx) : new Map());
    const kargs =
      fresh === undefined
        ? await decideKargs(ctx, booted, { commit: image.commit, owners })
        : await decideFreshKargs(ctx, fresh, image.commit);
    // Before anything that needs them can boot; readers of progress know this order of steps.
    request.onEvent({ type: "stage", stage: "bound-images" });
    const sysroot = join(ctx.root, "sysroot");
    const policyRoot = (await isSelinuxOn(ctx)) ? ctx.root : undefined;
    await fetchBoundImages(ctx, { sysroot, repo, commit: image.commit, policyRoot });
    if (fresh !== undefined) await ensureFreshStateroot(ctx, stateroot);
    await stage(ctx, {
      stateroot,
      commit: image.commit,
      origin: formatOrigin(reference),
      kargs,
      ...(owners.size > 0 && { entryKeys: owners }),
      isLocked: request.isLocked,
      isFresh: fresh !== undefined,
    });
    return await tellOfStaged(ctx, {
      digest: image.manifestDigest,
      isLocked: request.isLocked,
    });
  });
}

/** Only right before it is filled: what fails earlier leaves no empty stateroot. */
async function ensureFreshStateroot(ctx: Context, name: string): Promise<void> {
  if (await exists(join(ctx.root, "sysroot/ostree/deploy", name))) return;
  await initStateroot(ctx, name);
}

/** What a person reads after staging. */
export function describeStaged(reference: OstreeReference, image: PulledImage): readonly string[] {
  return [`Queued for next boot: ${describeReference(reference)}`, ...describeContent(image)];
}

/** The version of an image, taken from its label, and the digest. */
export function describeContent({
  config,
  manifestDigest,
}: Pick<PulledImage, "config" | "manifestDigest">): readonly string[] {
  const version = versionOf(config);
  return [
    ...(version === undefined ? [] : [`  Version: ${printable(version)}`]),
    `  Digest: ${manifestDigest}`,
  ];
}

/** Compares the layers of the booted image and of the one that was found. */
export function describeDifference(
  booted: Deployment,
  { manifest }: Pick<PulledImage, "manifest">,
): readonly string[] {
  if (booted.content === undefined) return [];
  const layers = manifest.layers.map(({ digest, size }) => ({ digest, sizeBytes: size }));
  return describeManifestDifference(booted.content.layers, layers);
}

/** What is staged in the place of another staged deployment. */
interface NextContent {
  readonly commit: string;
  /** Who owns which kernel arguments of that other deployment. */
  readonly owners: EntryKeys;
}

/**
 * The new command line; undefined if ostree may pass on that of the booted deployment unchanged. Only
 * differences between the kargs.d files of the two images change it, and requests of programs since the boot.
 */
export async function decideKargs(
  ctx: Context,
  booted: Deployment,
  { commit, owners }: NextContent,
): Promise<readonly Karg[] | undefined> {
  const [from, to] = await Promise.all([
    readKargsFiles(openDirectory(deploymentDir(ctx, booted))),
    readKargsFiles(await openCommit(systemRepo(ctx), commit)),
  ]);
  const [fromImage, toImage] = [from, to].map((it) => collectKargs(it, process.arch)) as [
    readonly Karg[],
    readonly Karg[],
  ];
  if (booted.bootOptions === undefined) {
    if (formatKargs(fromImage) === formatKargs(toImage) && owners.size === 0) return undefined;
    throw new BootcError("the kernel arguments of the booted deployment cannot be read", {
      kind: "integrity",
      hint: "check that /boot is mounted and has the booted deployment's entry in loader/entries",
    });
  }
  const current = parseKargs(booted.bootOptions).filter((it) => !it.startsWith("ostree="));
  const keys = parseEntryKeys((await readEntryTextOf(ctx, nameDeployment(booted))) ?? "");
  const owned = repeatRequests({ kargs: current, keys }, owners);
  // An image may stop asking for what a program still asks for.
  const wanted = addKargs(updateKargs(owned.kargs, fromImage, toImage), ownedKargs(owned));
  const isSame = wanted.length === current.length && wanted.every((it, i) => it === current[i]);
  return isSame ? undefined : wanted;
}

async function decideFreshKargs(
  ctx: Context,
  { rootKargs, userKargs }: FreshStart,
  commit: string,
): Promise<readonly Karg[]> {
  const files = await readKargsFiles(await openCommit(systemRepo(ctx), commit));
  return addKargs(addKargs(rootKargs, collectKargs(files, process.arch)), userKargs);
}
