// `ostree admin`: what changes deployments. Never with --sysroot on a booted host: ostree then takes
// itself for not booted and ignores, or even breaks, what is staged.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BootcError } from "../../errors.ts";
import type { Karg } from "../../host/kargs.ts";
import { readStagedDeployment } from "../../sysroot/staged.ts";
import type { Context } from "../../system/context.ts";
import { exists } from "../../system/files.ts";
import { isAtLeast, readOstree } from "./version.ts";

export interface StageRequest {
  readonly stateroot: string;
  readonly commit: string;
  /** The text of the new deployment's origin file. */
  readonly origin: string;
  /** The whole command line without `ostree=`; undefined to inherit that of the booted deployment. */
  readonly kargs: readonly Karg[] | undefined;
  /** Staged, but not applied at shutdown. */
  readonly isLocked: boolean;
}

/** Stages a deployment in place of what is staged, and looks that it is there. */
export async function stageDeployment(ctx: Context, request: StageRequest): Promise<void> {
  await withOriginFile(request, (originFile) =>
    ctx.run("ostree", formatStageArgs(request, originFile), { isQuiet: true }),
  );
  await requireStaged(ctx, request);
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
    ...(kargs === undefined ? [] : ["--karg-none", ...kargs.map((it) => `--karg-append=${it}`)]),
    request.commit,
  ];
}

/** Deploys into a sysroot that is not the booted one, whose staged deployment ostree would break. */
export async function deployTo(
  ctx: Context,
  sysroot: string,
  request: Omit<StageRequest, "isLocked">,
): Promise<void> {
  const kargs = request.kargs?.map((it) => `--karg-append=${it}`);
  await withOriginFile(request, (originFile) =>
    ctx.run("ostree", [
      ...["admin", "deploy", `--sysroot=${sysroot}`],
      ...[`--os=${request.stateroot}`, `--origin-file=${originFile}`],
      ...(kargs === undefined ? [] : ["--karg-none", ...kargs]),
      request.commit,
    ]),
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

/** Removes the deployments that are listed no longer, and their refs. */
export async function cleanDeployments(ctx: Context): Promise<void> {
  await ctx.run("ostree", ["admin", "cleanup"], { isQuiet: true });
}

async function requireStaged(ctx: Context, request: StageRequest): Promise<void> {
  const staged = await readStagedDeployment(ctx);
  const isThere = staged?.name.startsWith(`${request.commit}.`) === true;
  if (isThere && staged.isLocked === request.isLocked) return;
  const found = staged === undefined ? "nothing" : `\`${staged.name}\``;
  throw new BootcError(`ostree staged ${found} where \`${request.commit}\` was asked for`, {
    kind: "integrity",
  });
}

const LOCK_FILE = "run/ostree/staged-deployment-locked";

/** Has what is staged stay where it is at shutdown, or be applied after all. */
export async function setFinalizationLock(
  ctx: Context,
  lock: "locked" | "unlocked",
): Promise<void> {
  if (isAtLeast((await readOstree(ctx)).version, "2023.8")) {
    const words = lock === "locked" ? [] : ["--unlock"];
    await ctx.run("ostree", ["admin", "lock-finalization", ...words], { isQuiet: true });
  } else if (lock === "locked") {
    // Older versions have no command for it; the file is what their finalization looks at.
    await writeFile(join(ctx.root, LOCK_FILE), "");
  } else {
    await rm(join(ctx.root, LOCK_FILE), { force: true });
  }
  // A soft reboot does not ask whether it is locked.
  if (lock === "locked") await cancelSoftReboot(ctx);
  const staged = await readStagedDeployment(ctx);
  if (staged?.isLocked === (lock === "locked")) return;
  throw new BootcError(`what is staged could not be ${lock}`);
}

/**
 * Puts a deployment first, counted as `ostree admin status` lists them. Drops what is staged.
 * Needs ostree 2023.6.
 */
export async function setDefaultDeployment(ctx: Context, index: number): Promise<void> {
  await ctx.run("ostree", ["admin", "set-default", String(index)], { isQuiet: true });
  await cancelSoftReboot(ctx);
}

/** Mounts an overlay over /usr: writable until the next boot, or read-only for all but private remounts. */
export async function unlockUsr(ctx: Context, mode: "writable" | "transient"): Promise<void> {
  const words = mode === "transient" ? ["--transient"] : [];
  await ctx.run("ostree", ["admin", "unlock", ...words]);
}

/** ostree's mark that /run/nextroot is a whole system; a failed attempt leaves the directory alone. */
const SOFT_REBOOT_FILE = "run/ostree/nextroot-booted";

/** Prepares /run/nextroot, so that the next reboot is a soft one. */
export async function prepareSoftReboot(ctx: Context, index: number): Promise<void> {
  await changeSoftReboot(ctx, String(index));
  if (await exists(join(ctx.root, SOFT_REBOOT_FILE))) return;
  throw new BootcError("ostree prepared no soft reboot");
}

/** Takes back a soft reboot that was prepared, as it leads past what is to boot next from now on. */
async function cancelSoftReboot(ctx: Context): Promise<void> {
  if (!(await exists(join(ctx.root, SOFT_REBOOT_FILE)))) return;
  await changeSoftReboot(ctx, "--reset");
  if (!(await exists(join(ctx.root, SOFT_REBOOT_FILE)))) return;
  throw new BootcError("ostree did not take back the soft reboot that was prepared");
}

/** What is mounted on /run/nextroot is for systemd, in whose namespace it has to be; we are in our own. */
async function changeSoftReboot(ctx: Context, word: string): Promise<void> {
  const command = ["ostree", "admin", "prepare-soft-reboot", word];
  await ctx.run("nsenter", ["--target=1", "--mount", "--", ...command], { isQuiet: true });
}
