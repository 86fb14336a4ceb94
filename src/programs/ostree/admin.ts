// `ostree admin`: changes deployments. Never pass --sysroot on a booted host: ostree would then assume that
// it is not booted, and ignore or even break the staged deployment.
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BootcError } from "../../errors.ts";
import type { Karg } from "../../host/kargs.ts";
import { addStagedEntryKeys, readStagedDeployment } from "../../sysroot/staged.ts";
import type { Context } from "../../system/context.ts";
import { exists, ifMissing } from "../../system/files.ts";
import { isAtLeast, readOstree } from "./version.ts";

export interface StageRequest {
  readonly stateroot: string;
  readonly commit: string;
  /** The text of the new deployment's origin file. */
  readonly origin: string;
  /** All kernel arguments except `ostree=`; undefined to inherit those of the booted deployment. */
  readonly kargs: readonly Karg[] | undefined;
  /** Extension keys of its boot loader entry, besides those of the booted one. Needs ostree 2026.1. */
  readonly entryKeys?: ReadonlyMap<string, string>;
  /** Whether the shutdown does not apply the deployment. */
  readonly isLocked: boolean;
  /** Whether the deployment gets the `/etc` of its image instead of this host's. */
  readonly isFresh?: boolean;
}

/** Makes a stateroot, with an empty `/var`. */
export async function initStateroot(ctx: Context, name: string): Promise<void> {
  await ctx.run("ostree", ["admin", "os-init", name], { isQuiet: true });
}

/** Stages a deployment, replacing any staged one, and checks the result. */
export async function stageDeployment(ctx: Context, request: StageRequest): Promise<void> {
  await withOriginFile(request, (originFile) =>
    ctx.run("ostree", formatStageArgs(request, originFile), { isQuiet: true }),
  );
  await requireStaged(ctx, request);
  if (request.entryKeys !== undefined) await addStagedEntryKeys(ctx, request.entryKeys);
  await cancelSoftReboot(ctx);
}

export function formatStageArgs(request: StageRequest, originFile: string): readonly string[] {
  const { kargs } = request;
  return [
    "admin",
    "deploy",
    "--stage",
    `--os=${request.stateroot}`,
    `--origin-file=${originFile}`,
    ...(request.isLocked ? ["--lock-finalization"] : []),
    ...(request.isFresh ? ["--no-merge"] : []),
    ...(kargs === undefined ? [] : ["--karg-none", ...kargs.map((it) => `--karg-append=${it}`)]),
    request.commit,
  ];
}

/** Deploys into a sysroot other than the booted one, for which ostree would break the staged deployment. */
export async function deployTo(
  ctx: Context,
  sysroot: string,
  request: Omit<StageRequest, "isLocked" | "isFresh" | "entryKeys">,
): Promise<void> {
  const kargs = request.kargs?.map((it) => `--karg-append=${it}`);
  const words = ["admin", "deploy", `--sysroot=${sysroot}`, `--os=${request.stateroot}`];
  const changes = kargs === undefined ? [] : ["--karg-none", ...kargs];
  await withOriginFile(request, (originFile) =>
    // Otherwise, it would print its error as well, before ours.
    ctx.run("ostree", [...words, `--origin-file=${originFile}`, ...changes, request.commit], {
      isQuiet: true,
    }),
  );
}

async function withOriginFile(
  { origin }: Pick<StageRequest, "origin">,
  work: (path: string) => Promise<void>,
): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), "bootc-origin-"));
  try {
    const path = join(dir, "origin");
    await writeFile(path, origin);
    await work(path);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** Removes deployments that are no longer listed, and their refs. */
export async function cleanDeployments(ctx: Context): Promise<void> {
  await ctx.run("ostree", ["admin", "cleanup"], { isQuiet: true });
}

async function requireStaged(ctx: Context, request: StageRequest): Promise<void> {
  const staged = await readStagedDeployment(ctx);
  const isThere = staged?.name.startsWith(`${request.commit}.`) === true;
  if (isThere && staged.isLocked === request.isLocked) return;
  const found = staged === undefined ? "nothing" : `\`${staged.name}\``;
  throw new BootcError(`ostree staged ${found} instead of \`${request.commit}\``, {
    kind: "integrity",
  });
}

const LOCK_FILE = "run/ostree/staged-deployment-locked";

/** Decides whether the shutdown applies the staged deployment. */
export async function setFinalizationLock(
  ctx: Context,
  lock: "locked" | "unlocked",
): Promise<void> {
  if (isAtLeast((await readOstree(ctx)).version, "2023.8")) {
    const words = lock === "locked" ? [] : ["--unlock"];
    await ctx.run("ostree", ["admin", "lock-finalization", ...words], { isQuiet: true });
  } else if (lock === "locked") {
    // Older versions have no such command, but their finalization checks this file.
    await writeFile(join(ctx.root, LOCK_FILE), "");
  } else {
    await rm(join(ctx.root, LOCK_FILE), { force: true });
  }
  // A soft reboot ignores the lock.
  if (lock === "locked") await cancelSoftReboot(ctx);
  const staged = await readStagedDeployment(ctx);
  if (staged?.isLocked === (lock === "locked")) return;
  throw new BootcError(`the staged deployment could not be ${lock}`);
}

/** Mounts an overlay over /usr until the next boot; `transient` is writable only by private remounts. */
export async function unlockUsr(ctx: Context, mode: "writable" | "transient"): Promise<void> {
  const words = mode === "transient" ? ["--transient"] : [];
  await ctx.run("ostree", ["admin", "unlock", ...words]);
}

/** Marks that /run/nextroot is complete. A failed attempt may leave the directory, but not this file. */
const SOFT_REBOOT_FILE = "run/ostree/nextroot-booted";

export async function isSoftRebootPrepared(ctx: Context): Promise<boolean> {
  return await exists(join(ctx.root, SOFT_REBOOT_FILE));
}

/** Prepares /run/nextroot, so that the next reboot is a soft one. */
export async function prepareSoftReboot(ctx: Context, index: number): Promise<void> {
  await changeSoftReboot(ctx, String(index));
  if (await isSoftRebootPrepared(ctx)) return;
  throw new BootcError("ostree did not prepare a soft reboot");
}

/** Cancels a prepared soft reboot, which would bypass the deployment that boots next from now on. */
export async function cancelSoftReboot(ctx: Context): Promise<void> {
  if (!(await isSoftRebootPrepared(ctx))) return;
  await changeSoftReboot(ctx, "--reset");
  if (!(await isSoftRebootPrepared(ctx))) return;
  throw new BootcError("ostree did not cancel the prepared soft reboot");
}

/** Cancels one that was prepared before a moment, in milliseconds since 1970. */
export async function cancelEarlierSoftReboot(ctx: Context, momentMs: number): Promise<void> {
  const prepared = await stat(join(ctx.root, SOFT_REBOOT_FILE)).catch(ifMissing(undefined));
  if (prepared !== undefined && prepared.mtimeMs < momentMs) await cancelSoftReboot(ctx);
}

/** Runs in systemd's mount namespace, because systemd needs the mounts on /run/nextroot there. */
async function changeSoftReboot(ctx: Context, word: string): Promise<void> {
  const command = ["ostree", "admin", "prepare-soft-reboot", word];
  await ctx.run("nsenter", ["--target=1", "--mount", "--", ...command], { isQuiet: true });
}
