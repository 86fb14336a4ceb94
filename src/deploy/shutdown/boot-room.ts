// Room in /boot for the kernel of what is staged. ostree writes it at shutdown, when nobody reads errors.
import { stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import { BootcError } from "../../errors.ts";
import { formatDecimalSize } from "../../format/size.ts";
import type { Deployment } from "../../host/deployment.ts";
import { keptDeployments } from "../../host/kept-deployments.ts";
import { isAtLeast, readOstree } from "../../programs/ostree/version.ts";
import { readFileSize } from "../../repository/files.ts";
import { openCommit } from "../../repository/tree.ts";
import { readSysroot } from "../../sysroot/sysroot.ts";
import type { Context } from "../../system/context.ts";
import { readNamesIfAny } from "../../system/files.ts";

/** From this version on, ostree removes what only the rollback needs before it writes to a full /boot. */
export const PRUNES_EARLY = "2024.6";

export interface StagedKernel {
  readonly repo: string;
  readonly commit: string;
  /** The stateroot of the new deployment. */
  readonly stateroot: string;
}

/** Refuses, as `space`, a commit whose kernel and initramfs do not fit beside those that stay. */
export async function requireBootRoom(ctx: Context, kernel: StagedKernel): Promise<void> {
  const wanted = await readKernelFiles(kernel.repo, kernel.commit);
  const requiredBytes = wanted.reduce((sum, file) => sum + file.sizeBytes, 0);
  const boot = join(ctx.root, "boot");
  const files = await statfs(boot);
  const freeBytes = files.bavail * files.bsize;
  if (requiredBytes <= freeBytes) return;
  const { deployments } = await readSysroot(ctx);
  if (await isKernelInBoot(ctx, kernel, { wanted, deployments })) return;
  const freeable = isAtLeast((await readOstree(ctx)).version, PRUNES_EARLY)
    ? await sumFreeableKernels(boot, deployments, kernel.stateroot)
    : 0;
  const availableBytes = freeBytes + freeable;
  if (requiredBytes <= availableBytes) return;
  throw new BootcError(
    `Insufficient free space in /boot for the kernel of the image (available: ${formatDecimalSize(
      availableBytes,
    )} required: ${formatDecimalSize(requiredBytes)})`,
    { kind: "space", hint: "remove other files from /boot, or make it larger" },
  );
}

/**
 * Some deployment of the stateroot, the rollback included, has the same kernel in /boot: ostree writes it
 * once, whatever the rest of the image, and keeps it for every deployment that needs it.
 */
export async function isKernelInBoot(
  ctx: Context,
  { repo, stateroot }: Pick<StagedKernel, "repo" | "stateroot">,
  {
    wanted,
    deployments,
  }: { readonly wanted: readonly KernelFile[]; readonly deployments: readonly Deployment[] },
): Promise<boolean> {
  const checked = new Set<string>();
  for (const it of deployments.filter((it) => it.stateroot === stateroot)) {
    const name = nameKernel(it);
    if (checked.has(name)) continue;
    checked.add(name);
    if ((await readNamesIfAny(join(ctx.root, "boot/ostree", name))).length === 0) continue;
    const present = await readKernelFiles(repo, it.checksum);
    if (wanted.map(keyOf).join() === present.map(keyOf).join()) return true;
  }
  return false;
}

/** The directory of a deployment's kernel in /boot/ostree. */
function nameKernel({ stateroot, bootChecksum }: Deployment): string {
  return `${stateroot}-${bootChecksum}`;
}

interface KernelFile {
  readonly name: string;
  readonly sizeBytes: number;
  readonly checksum: string;
}

const keyOf = (it: KernelFile) => `${it.name} ${it.checksum}`;

const MODULES = "usr/lib/modules";
const BOOT_FILES = ["vmlinuz", "initramfs.img", "devicetree"];

/** The files of a commit that ostree copies to /boot; it does not copy links. */
export async function readKernelFiles(
  repo: string,
  commit: string,
): Promise<readonly KernelFile[]> {
  const tree = await openCommit(repo, commit);
  const found: KernelFile[] = [];
  for (const version of await tree.readNames(MODULES)) {
    for (const name of BOOT_FILES) {
      const entry = await tree.find(join(MODULES, version, name));
      if (entry?.kind !== "file") continue;
      const sizeBytes = await readFileSize(repo, entry.checksum);
      if (sizeBytes !== undefined) found.push({ name, sizeBytes, checksum: entry.checksum });
    }
  }
  return found;
}

/** Bytes of kernels that no kept deployment boots: they are removed when the staged one is finalized. */
export async function sumFreeableKernels(
  boot: string,
  deployments: readonly Deployment[],
  stateroot?: string,
): Promise<number> {
  const kept = new Set(keptDeployments(deployments, stateroot).map(nameKernel));
  const top = join(boot, "ostree");
  let sum = 0;
  // A file there is not a kernel: ostree records a failed shutdown in one.
  for (const name of (await readNamesIfAny(top)).filter((it) => !kept.has(it))) {
    for (const file of await readNamesIfAny(join(top, name))) {
      sum += (await stat(join(top, name, file))).size;
    }
  }
  return sum;
}
