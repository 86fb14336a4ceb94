// `bootc install reset`: the next boot starts the image anew, in a stateroot with an empty /var.
import { opendir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { deploySettingsOf, lockTimeoutOf, type PullFlags } from "../../cli/options.ts";
import { followUp, tellOfStaged } from "../../deploy/after-change.ts";
import { deployImage, requireBooted, withProgress } from "../../deploy/deploy-image.ts";
import { prepareForWrite, withHostLock } from "../../deploy/prepare-write.ts";
import { type FreshStart, stageImage } from "../../deploy/stage-image.ts";
import { completeStaged } from "../../deploy/staging.ts";
import { whileMarked } from "../../deploy/staging-mark.ts";
import { dropStaged, markReset, unmarkReset } from "../../deploy/unfinished-reset.ts";
import { BootcError, explainError } from "../../errors.ts";
import type { Deployment } from "../../host/deployment.ts";
import { parseKargs } from "../../host/kargs.ts";
import type { OstreeReference } from "../../image/reference.ts";
import { keepRootKargs } from "../../install/plan/kargs.ts";
import { findFstabMount, withFstabMount } from "../../install/plan/mount-spec.ts";
import { decideTarget } from "../../install/prepare.ts";
import { setFinalizationLock } from "../../programs/ostree/admin.ts";
import { reboot } from "../../programs/systemd.ts";
import { listDeploymentsOnDisk } from "../../sysroot/deployments.ts";
import { namedDeploymentDir } from "../../sysroot/paths.ts";
import { readStagedDeployment } from "../../sysroot/staged.ts";
import { readSysroot } from "../../sysroot/sysroot.ts";
import type { Context } from "../../system/context.ts";
import { ifMissing, readFileIfAny, replaceFile } from "../../system/files.ts";
import { cleanupContext } from "../../system/run.ts";

export interface ResetOptions extends PullFlags {
  readonly quiet?: boolean;
  readonly progressFd?: number;
  readonly experimental?: boolean;
  readonly sourceImgref?: string;
  readonly targetTransport?: string;
  readonly targetImgref?: string;
  readonly enforceContainerSigpolicy?: boolean;
  readonly experimentalUnifiedStorage?: boolean;
  readonly stateroot?: string;
  readonly karg?: readonly string[];
  /** False with `--no-root-kargs`. */
  readonly rootKargs: boolean;
  readonly apply?: boolean;
}

export async function resetInstall(ctx: Context, options: ResetOptions): Promise<void> {
  if (options.experimental !== true) {
    throw new BootcError("This command requires --experimental", {
      kind: "usage",
      hint: "the next boot starts with the image's /etc and an empty /var",
    });
  }
  if (options.sourceImgref !== undefined) {
    throw new BootcError("`install reset` takes no `--source-imgref`", {
      kind: "usage",
      hint: "name the image with `--target-imgref`; a running system is installed from where it updates",
    });
  }
  if (options.experimentalUnifiedStorage === true && options.targetImgref === undefined) {
    throw new BootcError("`--experimental-unified-storage` needs `--target-imgref`", {
      kind: "usage",
      hint: "without an image that is named nothing is pulled, so no storage is involved",
    });
  }
  await prepareForWrite(ctx, { progressDescriptor: options.progressFd });
  const lock = { purpose: "resetting", timeoutMs: lockTimeoutOf(options) };
  await withHostLock(ctx, lock, () => resetLocked(ctx, options));
  if (options.apply === true) await followUp(RESET, () => reboot(ctx));
}

const RESET = {
  outcome: "the next boot starts in the new stateroot",
  hint: "`systemctl reboot` starts it; a second reset would stage the image once more",
};

async function resetLocked(ctx: Context, options: ResetOptions): Promise<void> {
  const sysroot = await readSysroot(ctx);
  const booted = requireBooted(sysroot);
  const { deployments } = sysroot;
  const stateroot = await chooseStateroot(ctx, { booted, deployments, wanted: options.stateroot });
  const fresh = {
    stateroot,
    rootKargs: options.rootKargs ? readRootKargs(booted) : [],
    userKargs: (options.karg ?? []).flatMap(parseKargs),
  };
  await markReset(ctx, stateroot);
  await stageFresh(ctx, { booted, fresh, options });
  await completeOrDrop(ctx);
  await unmarkReset(ctx);
  ctx.say(`The next boot starts in the new stateroot \`${stateroot}\``);
}

function readRootKargs({ bootOptions }: Deployment) {
  if (bootOptions !== undefined) return keepRootKargs(parseKargs(bootOptions));
  throw new BootcError("the kernel arguments of the booted deployment cannot be read", {
    kind: "integrity",
    hint: "give those that find the root with `--no-root-kargs --karg`",
  });
}

interface StaterootChoice {
  readonly booted: Deployment;
  readonly deployments: readonly Deployment[];
  readonly wanted: string | undefined;
}

/**
 * The name given, or else `state-YEAR-N`, with the number after the highest of this year. The highest itself
 * if a reset has made it and then failed: nothing ever ran there.
 */
export async function chooseStateroot(
  ctx: Context,
  { booted, deployments, wanted }: StaterootChoice,
): Promise<string> {
  if (wanted === booted.stateroot) {
    throw new BootcError(`the stateroot \`${wanted}\` is booted`, {
      kind: "usage",
      hint: "give `--stateroot` another name, or leave it out",
    });
  }
  if (wanted !== undefined) return wanted;
  const top = join(ctx.root, "sysroot/ostree/deploy");
  const names = await readdir(top);
  const { last, next } = nextStateroot(names, new Date());
  if (last === undefined || !names.includes(last)) return next;
  if (deployments.some((it) => it.stateroot === last)) return next;
  if (!(await hasFiles(join(top, last, "var")))) return last;
  // One whose boot entry cannot be read may be in use.
  const onDisk = await listDeploymentsOnDisk(join(ctx.root, "sysroot"));
  if (onDisk.some((it) => it.stateroot === last)) return next;
  // A system may have left them, or ostree in a reset that was killed, and nobody can tell.
  ctx.note(
    `note: the stateroot \`${last}\` has no deployment, but files in its /var; if nobody needs them, make ` +
      `/sysroot writable, and remove \`/sysroot/ostree/deploy/${last}\``,
  );
  return next;
}

/**
 * Whether there is more than the directories and links with which a stateroot begins. Ends at the first file:
 * there may be millions.
 */
export async function hasFiles(dir: string): Promise<boolean> {
  const open = await opendir(dir).catch(ifMissing(undefined));
  if (open === undefined) return false;
  const below: string[] = [];
  for await (const it of open) {
    if (it.isDirectory()) below.push(join(dir, it.name));
    else if (!it.isSymbolicLink()) return true;
  }
  for (const it of below) if (await hasFiles(it)) return true;
  return false;
}

/** The highest `state-YEAR-N` of this year, if any, and the one after it. */
export function nextStateroot(
  names: readonly string[],
  now: Date,
): { readonly last: string | undefined; readonly next: string } {
  const prefix = `state-${now.getUTCFullYear()}-`;
  const numbers = names.flatMap((name) => {
    const digits = name.startsWith(prefix) ? name.slice(prefix.length) : "";
    return /^\d+$/.test(digits) ? [Number(digits)] : [];
  });
  const highest = Math.max(-1, ...numbers);
  const last = highest < 0 ? undefined : `${prefix}${highest}`;
  return { last, next: `${prefix}${highest + 1}` };
}

interface Reset {
  readonly booted: Deployment;
  readonly fresh: FreshStart;
  readonly options: ResetOptions;
}

/**
 * Stages the image that is named, or else the booted one, which is complete here. What is staged is locked,
 * because a shutdown must not apply it before it has its fstab.
 */
async function stageFresh(ctx: Context, { booted, fresh, options }: Reset): Promise<void> {
  const settings = deploySettingsOf(options);
  const { targetImgref } = options;
  if (targetImgref !== undefined) {
    const image = { transport: "registry", name: targetImgref } as const;
    const source = { image, name: targetImgref, isOwnContainer: false };
    const reference = decideTarget(options, source, undefined);
    const wantsUnified = options.experimentalUnifiedStorage;
    const request = { reference, booted, wantsUnified, settings };
    return await deployImage(ctx, request, { fresh, isLocked: true });
  }
  const reference = requireImage(booted);
  const image = { commit: booted.checksum, manifestDigest: booted.content?.digest ?? "" };
  await withProgress(ctx, settings, async ({ onEvent, end }) => {
    await stageImage(ctx, { image, reference, booted, fresh, isLocked: true, onEvent });
    end();
  });
}

function requireImage({ origin }: Deployment): OstreeReference {
  if (origin.image !== undefined) return origin.image;
  throw new BootcError("the booted system does not follow an image", {
    kind: "unsupported",
    hint: "name one with `--target-imgref`",
  });
}

/** A deployment without its mount of /boot does not stay: an upgrade to the same image would unlock it. */
async function completeOrDrop(ctx: Context): Promise<void> {
  try {
    await copyBootMount(ctx);
    await releaseStaged(ctx);
  } catch (error) {
    await dropStaged(cleanupContext(ctx)).catch((failure) => {
      ctx.note(`warning: dropping what was staged: ${explainError(failure)}`);
    });
    throw error;
  }
}

/** A separate /boot is not part of the image, and the new system needs it as well. */
async function copyBootMount(ctx: Context): Promise<void> {
  const staged = await readStagedDeployment(ctx);
  const boot = findFstabMount((await readFileIfAny(join(ctx.root, "etc/fstab"))) ?? "", "/boot");
  if (staged === undefined || boot === undefined) return;
  const path = join(namedDeploymentDir(join(ctx.root, "sysroot"), staged), "etc/fstab");
  await replaceFile(path, withFstabMount((await readFileIfAny(path)) ?? "", boot));
  // The new file has no label yet.
  await completeStaged(ctx);
}

/** Lets the shutdown apply what is staged, and tells everybody. */
async function releaseStaged(ctx: Context): Promise<void> {
  const staged = (await readSysroot(ctx)).deployments.find((it) => it.isStaged);
  const digest = staged?.content?.digest;
  await whileMarked(ctx, digest, async () => {
    await setFinalizationLock(ctx, "unlocked");
    return await tellOfStaged(ctx, { digest, isLocked: false });
  });
}
