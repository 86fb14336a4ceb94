// `ostree-ext provisional-repair repair`: remove stored images that are not what their layers say.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { checkInodes, type InodeCheck } from "../../amend/inodes.ts";
import {
  describeCollisions,
  describeInodes,
  formatRepairResult,
  type RepairResult,
} from "../../amend/result.ts";
import { findWrongFiles, type WrongFile } from "../../amend/wrong-files.ts";
import { type LockFlags, lockTimeoutOf } from "../../cli/options.ts";
import { BootcError, explainError, kindOf } from "../../errors.ts";
import type { Deployment } from "../../host/deployment.ts";
import { parseImageReference } from "../../image/reference.ts";
import { removeImages } from "../../repository/clean/cleanup.ts";
import { listStoredImages, readStoredImage } from "../../repository/images.ts";
import { withRepositoryLock } from "../../repository/lock.ts";
import { readSysroot } from "../../sysroot/sysroot.ts";
import { isBootedRepository } from "../../sysroot/writable.ts";
import type { Context } from "../../system/context.ts";
import { isMissing } from "../../system/files.ts";

export interface RepairImagesOptions extends LockFlags {
  readonly sysroot: string;
  readonly dryRun?: boolean;
  readonly verbose?: boolean;
  readonly writeResultTo?: string;
}

export async function repairImages(ctx: Context, options: RepairImagesOptions): Promise<void> {
  const repo = join(options.sysroot, "ostree/repo");
  await withRepositoryLock(ctx, repo, {
    options: { purpose: "repairing images", timeoutMs: lockTimeoutOf(options) },
    work: async () => {
      const result = await analyze(ctx, repo, options);
      if (options.writeResultTo !== undefined) {
        await writeFile(options.writeResultTo, formatRepairResult(result));
      }
      await removeWrongImages(ctx, repo, { result, isDryRun: options.dryRun === true });
    },
  });
}

async function analyze(
  ctx: Context,
  repo: string,
  { verbose }: RepairImagesOptions,
): Promise<RepairResult> {
  const isVerbose = verbose === true;
  const inodes = checkInodes(repo);
  if (isVerbose) for (const line of describeCollisions(inodes)) ctx.note(line);
  for (const line of describeInodes(inodes)) ctx.say(line);
  // A repository may have been copied, so numbers without collisions prove nothing.
  const names = await listStoredImages(repo);
  ctx.say(`Verifying ostree-container images: ${names.length}`);
  const images: string[] = [];
  const commits = new Set<string>();
  for (const name of names) {
    const verified = await verify(ctx, repo, name);
    if (verified === undefined) continue;
    const { commit, wrong } = verified;
    if (wrong.length === 0) {
      ctx.say(`OK image ${name}`);
    } else {
      for (const line of describeWrong(name, { wrong, inodes, isVerbose })) ctx.note(line);
      images.push(name);
      commits.add(commit);
    }
  }
  const isBooted = await isBootedRepository(ctx, repo);
  const deployments = isBooted ? (await readSysroot(ctx)).deployments : [];
  const isWrong = (which: (it: Deployment) => boolean) =>
    deployments.some((it) => which(it) && commits.has(it.checksum));
  return {
    ...{ inodes, images },
    isBootedWrong: isWrong((it) => it.isBooted),
    isStagedWrong: isWrong((it) => it.isStaged),
  };
}

interface Verified {
  readonly commit: string;
  readonly wrong: readonly WrongFile[];
}

/** Undefined for an image that is not complete here, which is noted: others can be verified all the same. */
async function verify(ctx: Context, repo: string, name: string): Promise<Verified | undefined> {
  try {
    const stored = await readStoredImage(repo, parseImageReference(name));
    const wrong = stored && (await findWrongFiles(repo, stored));
    if (stored !== undefined && wrong !== undefined) return { commit: stored.commit, wrong };
    ctx.note(`warning: ${name} cannot be verified, as it lacks layers or its configuration`);
  } catch (error) {
    if (kindOf(error) !== "integrity" && !isMissing(error)) throw error;
    ctx.note(`warning: ${name} cannot be verified: ${explainError(error)}`);
  }
  return undefined;
}

interface Judged {
  readonly wrong: readonly WrongFile[];
  readonly inodes: InodeCheck;
  readonly isVerbose: boolean;
}

function describeWrong(name: string, { wrong, inodes, isVerbose }: Judged): readonly string[] {
  const unsafe = new Set(inodes.objects.map((it) => it.checksum));
  const clashes = wrong.filter((it) => unsafe.has(it.found) || unsafe.has(it.wanted));
  const others = wrong.filter((it) => !clashes.includes(it));
  return [
    `warning: Corrupted image ${name}`,
    `  inode clashes: ${clashes.length}`,
    `  unknown:       ${others.length}`,
    ...(isVerbose ? clashes.map((it) => `  inode: ${it.path}`) : []),
    ...(isVerbose ? others.map((it) => `  other: ${it.path}`) : []),
  ];
}

interface Removal {
  readonly result: RepairResult;
  readonly isDryRun: boolean;
}

async function removeWrongImages(
  ctx: Context,
  repo: string,
  { result, isDryRun }: Removal,
): Promise<void> {
  const { images } = result;
  if (images.length === 0) {
    ctx.say("OK no corruption found");
    return;
  }
  if (isDryRun) {
    throw new BootcError(`Found corruption in images: ${images.length}`, {
      kind: "integrity",
      hint: "without --dry-run these images are removed, and the next pull makes them anew",
    });
  }
  for (const it of images) ctx.note(`Flushing cached state for corrupted merged image: ${it}`);
  await removeImages(ctx, repo, images);
  requireUnused(result);
}

/** Removing an image does not change what is deployed. */
function requireUnused({ isBootedWrong, isStagedWrong }: RepairResult): void {
  if (!isBootedWrong && !isStagedWrong) return;
  const which = isBootedWrong ? "booted" : "staged";
  throw new BootcError(`the ${which} deployment is one of the corrupted images`, {
    kind: "integrity",
    hint: "`ostree container image deploy --imgref IMAGE` pulls and deploys it anew",
  });
}
