// Copies the kernel of what is staged to /boot while the system runs. ostree would do it during the shutdown,
// and skips files that are there by name.
import { createHash } from "node:crypto";
import { link, mkdir, open, rename, rm, stat, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { BootcError, describeError, errnoOf } from "../../errors.ts";
import { isAtLeast, readOstree } from "../../programs/ostree/version.ts";
import { namedDeploymentDir } from "../../sysroot/paths.ts";
import { readStagedDeployment, type StagedDeployment } from "../../sysroot/staged.ts";
import type { Context } from "../../system/context.ts";
import { exists, flushDirectory, readNamesIfAny, replaceFile } from "../../system/files.ts";
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
    const { message, causes } = describeError(error);
    const why = [message, ...causes].join(": ");
    ctx.note(`note: the kernel gets to /boot only during the shutdown: ${why}`);
  }
}

async function copyKernel(ctx: Context, staged: StagedDeployment): Promise<void> {
  const files = await findKernel(namedDeploymentDir(join(ctx.root, "sysroot"), staged));
  if (files === undefined) return;
  const boot = join(ctx.root, "boot");
  const dir = join(boot, "ostree", `${staged.stateroot}-${staged.bootChecksum}`);
  const isComplete = (
    await Promise.all(files.targets.map((it) => exists(join(dir, it.name))))
  ).every(Boolean);
  if (!isComplete && !(await hasRoom(boot, files.targets))) return;
  if (!isComplete) await placeFiles(dir, files, staged.bootChecksum);
  // By default it first removes from a separate /boot what no finished deployment needs: this copy, too.
  if (!isAtLeast((await readOstree(ctx)).version, PRUNES_EARLY)) return;
  if (!(await hasRoom(boot, files.targets))) return;
  await mkdir(join(ctx.root, dirname(ENVIRONMENT)), { recursive: true, mode: 0o755 });
  const text = "OSTREE_SYSROOT_OPTS=no-early-prune\n";
  await replaceFile(join(ctx.root, ENVIRONMENT), text, { mode: 0o644 });
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
 * Twice the size: should another deployment be staged in place of this one, its kernel fits as well, without
 * ostree having to remove anything first.
 */
async function hasRoom(boot: string, targets: readonly KernelTarget[]): Promise<boolean> {
  const { bavail, bsize } = await statfs(boot);
  const neededBytes = targets.reduce((sum, it) => sum + it.sizeBytes, 0);
  return bavail * bsize >= 2 * neededBytes + MARGIN_BYTES;
}

/** Under their final names only when all of them are complete, and have the right hash. */
async function placeFiles(
  dir: string,
  { targets, isWhole }: KernelFiles,
  bootChecksum: string,
): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o775 });
  const temporary = (name: string) => join(dir, `.${name}.bootc-tmp`);
  try {
    const hash = createHash("sha256");
    for (const { source, name } of targets) {
      await rm(temporary(name), { force: true });
      await placeFile(source, temporary(name), (bytes) => hash.update(bytes));
    }
    if (isWhole && hash.digest("hex") !== bootChecksum) {
      throw new BootcError(
        "the kernel and the initramfs do not have the checksum that ostree computed",
        {
          kind: "integrity",
        },
      );
    }
    for (const { name } of targets) await rename(temporary(name), join(dir, name));
  } catch (error) {
    await Promise.all(targets.map(({ name }) => rm(temporary(name), { force: true })));
    throw error;
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
