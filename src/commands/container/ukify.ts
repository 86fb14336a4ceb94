// `bootc container ukify`: make a unified kernel image of an image's kernel, initramfs and kernel arguments.
import { basename, join, resolve } from "node:path";
import { BootcError } from "../../errors.ts";
import { collectKargs } from "../../host/image-kargs.ts";
import { formatKargs } from "../../host/kargs.ts";
import { MODULES_DIR, UNIFIED_DIR } from "../../lint/kernel.ts";
import { hasFile, readKernel } from "../../lint/read/kernel.ts";
import { requireRootDirectory } from "../../lint/read/subject.ts";
import { buildUki, requireUkify } from "../../programs/ukify.ts";
import { readKargsFiles } from "../../sysroot/image-kargs.ts";
import type { Context } from "../../system/context.ts";
import { openDirectory } from "../../system/root/file-tree.ts";
import { resolveInRoot } from "../../system/root/in-root.ts";

export interface UkifyOptions {
  readonly rootfs: string;
  readonly kernelDir?: string;
  readonly composefsDigest?: string;
  readonly allowMissingVerity?: boolean;
  readonly writeDumpfileTo?: string;
  readonly karg?: readonly string[];
}

export async function ukify(
  ctx: Context,
  words: readonly string[],
  options: UkifyOptions,
): Promise<void> {
  const digest = requireDigest(options);
  requireUkify(ctx);
  const root = await requireRootDirectory(options.rootfs);
  const kernel = await findKernelDir(root, options);
  const kargs = collectKargs(await readKargsFiles(openDirectory(root)), process.arch);
  const composefs = `composefs=${options.allowMissingVerity === true ? "?" : ""}${digest}`;
  await buildUki(ctx, {
    root,
    kernel: await requireFileIn(kernel.root, `${kernel.dir}/vmlinuz`),
    initramfs: await requireFileIn(kernel.root, `${kernel.dir}/initramfs.img`),
    version: kernel.version,
    cmdline: formatKargs([...kargs, composefs, ...(options.karg ?? [])]),
    osRelease: await requireFileIn(root, "usr/lib/os-release"),
    words,
  });
}

/** The fs-verity digest, by SHA-512, of the EROFS image that bootc 1.x makes of a root. */
function requireDigest({ composefsDigest, writeDumpfileTo }: UkifyOptions): string {
  if (composefsDigest === undefined || writeDumpfileTo !== undefined) {
    throw new BootcError("this version cannot compute the composefs digest of a root", {
      kind: "unsupported",
      hint:
        "give it with --composefs-digest; `bootc container compute-composefs-digest` of " +
        "bootc 1.x prints it",
    });
  }
  if (/^[0-9a-f]{128}$/.test(composefsDigest)) return composefsDigest;
  throw new BootcError(`\`${composefsDigest}\` is not a composefs digest`, {
    kind: "usage",
    hint: "it has 128 hexadecimal digits, in lower case",
  });
}

interface KernelDir {
  /** Where links lead. */
  readonly root: string;
  readonly dir: string;
  readonly version: string;
}

async function findKernelDir(
  root: string,
  { rootfs, kernelDir }: UkifyOptions,
): Promise<KernelDir> {
  const kernel = await readKernel(root);
  if (kernel?.isUnified) {
    const path = `${UNIFIED_DIR}/${kernel.version}.efi`;
    throw new BootcError(`Cannot build UKI: rootfs already contains a UKI at ${path}`, {
      kind: "unsupported",
    });
  }
  if (kernelDir !== undefined) {
    const dir = resolve(kernelDir);
    return { root: "/", dir, version: basename(dir) };
  }
  if (kernel === undefined) throw new BootcError(`No kernel found in ${rootfs}`);
  return { root, dir: `${MODULES_DIR}/${kernel.version}`, version: kernel.version };
}

async function requireFileIn(root: string, path: string): Promise<string> {
  if (await hasFile(root, path)) return await resolveInRoot(root, path);
  throw new BootcError(`\`${join(root, path)}\` is missing`);
}
