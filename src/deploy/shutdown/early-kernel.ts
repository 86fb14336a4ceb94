// Copies the kernel of what is staged to /boot while the system runs. ostree would do it during the shutdown,
// and skips files that are there by name.
import { createHash } from "node:crypto";
import { link, open, rename, rm, stat, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { BootcError, errnoOf, explainError } from "../../errors.ts";
import { isAtLeast, readOstree } from "../../programs/ostree/version.ts";
import { namedDeploymentDir } from "../../sysroot/paths.ts";
import { readStagedDeployment, type StagedDeployment } from "../../sysroot/staged.ts";
import type { Context } from "../../system/context.ts";
import {
  exists,
  flushDirectory,
  makeDirectories,
  readNamesIfAny,
  replaceFile,
} from "../../system/files.ts";
import { PRUNES_EARLY } from "./boot-room.ts";

/** Read by ostree-finalize-staged.service, through our drop-in. */
const ENVIRONMENT = "run/bootc/finalize-staged.env";

/** Entries, and whatever else ostree writes to /boot. */
const MARGIN_BYTES = 4 << 20;

/** A kernel that cannot be copied now is copied by ostree later: failures are only noted. */
export async function copyKernelEarly(ctx: Context): Promise<void> {
  try {
    await rm(join(ctx.root, ENVIRONMENT), { force: true });
    const staged = await readStagedDeployment(ctx);
    if (staged !== undefined) await copyKernel(ctx, staged);
  } catch (error) {
    ctx.signal.throwIfAborted();
    ctx.note(`note: the kernel gets to /boot only during the shutdown: ${explainError(error)}`);
  }
}

async function copyKernel(ctx: Context, staged: StagedDeployment): Promise<void> {
  const files = await findKernel(namedDeploymentDir(join(ctx.root, "sysroot"), staged));
  if (files === undefined) return;
  const boot = join(ctx.root, "boot");
  const dir = kernelDir(ctx, staged);
  const isComplete = await hasAll(dir, files);
  // What a run that was killed has left.
  await removeTemporaries(dir, files);
  // By default it first removes from a separate /boot what no finished deployment needs: this copy, too.
  const isPruned = isAtLeast((await readOstree(ctx)).version, PRUNES_EARLY);
  // The copy itself, and room for two kernels more.
  if (!isComplete && !(await hasRoomFor(isPruned ? 3 : 2, boot, files))) return;
  if (!isComplete) await placeFiles(ctx, dir, { files, bootChecksum: staged.bootChecksum });
  if (!isPruned || !(await hasRoomFor(2, boot, files))) return;
  await makeDirectories(join(ctx.root, dirname(ENVIRONMENT)), 0o755);
  const text = "OSTREE_SYSROOT_OPTS=no-early-prune\n";
  await replaceFile(join(ctx.root, ENVIRONMENT), text, { mode: 0o644 });
}

/**
 * The shutdown neither copies this kernel to /boot nor removes anything there to have room for it, and the
 * next one has room as well.
 */
export async function isKernelInPlace(ctx: Context, staged: StagedDeployment): Promise<boolean> {
  const files = await findKernel(namedDeploymentDir(join(ctx.root, "sysroot"), staged));
  if (files === undefined || !(await hasAll(kernelDir(ctx, staged), files))) return false;
  const isUnpruned =
    (await exists(join(ctx.root, ENVIRONMENT))) ||
    !isAtLeast((await readOstree(ctx)).version, PRUNES_EARLY);
  return isUnpruned && (await hasRoomFor(1, join(ctx.root, "boot"), files));
}

function kernelDir(ctx: Context, { stateroot, bootChecksum }: StagedDeployment): string {
  return join(ctx.root, "boot/ostree", `${stateroot}-${bootChecksum}`);
}

async function hasAll(dir: string, { targets }: KernelFiles): Promise<boolean> {
  return (await Promise.all(targets.map((it) => exists(join(dir, it.name))))).every(Boolean);
}

interface KernelFiles {
  readonly targets: readonly KernelTarget[];
  /** The name of the directory in /boot is a hash of exactly these files. */
  readonly isWhole: boolean;
}

interface KernelTarget {
  readonly source: string;
  readonly name: string;
  readonly sizeBytes: number;
}

const MODULES = "usr/lib/modules";

/** Undefined where ostree might choose otherwise: two kernels, or an initramfs in another place. */
async function findKernel(deployment: string): Promise<KernelFiles | undefined> {
  const names = await readNamesIfAny(join(deployment, MODULES));
  const found = await Promise.all(
    names.map(async (version) => {
      const kernel = await targetOf(
        join(deployment, MODULES, version, "vmlinuz"),
        `vmlinuz-${version}`,
      );
      return kernel === undefined ? [] : [{ version, kernel }];
    }),
  );
  const [only, ...others] = found.flat();
  if (only === undefined || others.length > 0) return undefined;
  const dir = join(deployment, MODULES, only.version);
  const name = `initramfs-${only.version}.img`;
  const initramfs =
    (await targetOf(join(dir, "initramfs.img"), name)) ??
    (await targetOf(join(dir, "initramfs"), name));
  if (initramfs === undefined) return undefined;
  const isWhole = !(await exists(join(dir, "devicetree"))) && !(await exists(join(dir, "dtb")));
  return { targets: [only.kernel, initramfs], isWhole };
}

async function targetOf(source: string, name: string): Promise<KernelTarget | undefined> {
  const found = (await exists(source)) ? await stat(source) : undefined;
  return found?.isFile() ? { source, name, sizeBytes: found.size } : undefined;
}

/**
 * Whether there is room for `count` kernels of this size: should another deployment be staged in place of
 * this one, its kernel has to fit as well, without ostree having to remove anything first.
 */
async function hasRoomFor(count: number, boot: string, { targets }: KernelFiles): Promise<boolean> {
  const { bavail, bsize } = await statfs(boot);
  const neededBytes = targets.reduce((sum, it) => sum + it.sizeBytes, 0);
  return bavail * bsize >= count * neededBytes + MARGIN_BYTES;
}

const temporaryOf = (dir: string, name: string) => join(dir, `.${name}.bootc-tmp`);

async function removeTemporaries(dir: string, { targets }: KernelFiles): Promise<void> {
  await Promise.all(targets.map(({ name }) => rm(temporaryOf(dir, name), { force: true })));
}

interface Placed {
  readonly files: KernelFiles;
  readonly bootChecksum: string;
}

/** Under their final names only when all of them are complete, and have the right hash. */
async function placeFiles(
  { signal }: Context,
  dir: string,
  { files, bootChecksum }: Placed,
): Promise<void> {
  const { targets, isWhole } = files;
  await makeDirectories(dir, 0o775);
  try {
    const hash = createHash("sha256");
    for (const { source, name } of targets) {
      await placeFile(source, temporaryOf(dir, name), (bytes) => {
        signal.throwIfAborted();
        hash.update(bytes);
      });
    }
    if (isWhole && hash.digest("hex") !== bootChecksum) {
      throw new BootcError(
        "the kernel and the initramfs do not have the checksum that ostree computed",
        {
          kind: "integrity",
        },
      );
    }
    for (const { name } of targets) await rename(temporaryOf(dir, name), join(dir, name));
  } finally {
    // Renaming one name of a file over another one does nothing, and leaves both.
    await removeTemporaries(dir, files);
  }
  await flushDirectory(dir);
  await flushDirectory(dirname(dir));
}

const CHUNK_BYTES = 1 << 20;

/** As ostree does it: a second name of the same file if possible, otherwise a flushed copy with its owner. */
async function placeFile(
  source: string,
  target: string,
  onBytes: (bytes: Uint8Array) => void,
): Promise<void> {
  const isLinked = await link(source, target).then(() => true, ifOtherMount);
  const from = await open(source, "r");
  try {
    const { mode, uid, gid } = await from.stat();
    const to = isLinked ? undefined : await open(target, "wx", 0o600);
    try {
      const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
      for (;;) {
        const { bytesRead } = await from.read(buffer, 0, CHUNK_BYTES);
        if (bytesRead === 0) break;
        onBytes(buffer.subarray(0, bytesRead));
        await to?.writeFile(buffer.subarray(0, bytesRead));
      }
      await to?.chown(uid, gid);
      await to?.chmod(mode & 0o7777);
      await to?.sync();
    } finally {
      await to?.close();
    }
  } finally {
    await from.close();
  }
}

function ifOtherMount(error: unknown): false {
  if (["EXDEV", "EMLINK", "EPERM"].includes(errnoOf(error) ?? "")) return false;
  throw error;
}
