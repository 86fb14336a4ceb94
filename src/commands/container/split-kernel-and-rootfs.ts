// `bootc container split-kernel-and-rootfs`: move the kernel and the initramfs out of an image.
import { lstat, rename } from "node:fs/promises";
import { join } from "node:path";
import { BootcError, errnoOf } from "../../errors.ts";
import { MODULES_DIR } from "../../lint/kernel.ts";
import { hasFile, readKernel } from "../../lint/read/kernel.ts";
import { requireRootDirectory } from "../../lint/read/subject.ts";
import type { Context } from "../../system/context.ts";
import { ifMissing, makeDirectories } from "../../system/files.ts";
import { resolveInRoot } from "../../system/root/in-root.ts";

export interface SplitOptions {
  readonly rootfs: string;
  readonly output: string;
}

const NAMES = ["vmlinuz", "initramfs.img"] as const;

export async function splitKernelAndRootfs(
  ctx: Context,
  { rootfs, output }: SplitOptions,
): Promise<void> {
  const root = await requireRootDirectory(rootfs);
  const kernel = await readKernel(root);
  if (kernel === undefined) throw new BootcError("No kernel found in rootfs");
  if (kernel.isUnified) throw new BootcError("UKIs are not supported", { kind: "unsupported" });
  const from = `${MODULES_DIR}/${kernel.version}`;
  const to = join(output, kernel.version);
  // Nothing is moved unless both can be.
  for (const name of NAMES) await requireMovable(root, `${from}/${name}`, join(to, name));
  await makeDirectories(to);
  for (const name of NAMES) {
    await move(await resolveInRoot(root, `${from}/${name}`), join(to, name));
  }
  ctx.note(`Moved the kernel ${kernel.version} to ${to}`);
}

async function requireMovable(root: string, path: string, to: string): Promise<void> {
  if (!(await hasFile(root, path))) throw new BootcError(`\`/${path}\` is missing in the rootfs`);
  const existing = await lstat(to).catch(ifMissing(undefined));
  if (existing !== undefined) throw new BootcError(`\`${to}\` already exists`, { kind: "usage" });
}

async function move(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (cause) {
    if (errnoOf(cause) !== "EXDEV") throw cause;
    throw new BootcError(`\`${to}\` is on another file system than \`${from}\``, {
      kind: "usage",
      hint: "the files are moved, not copied: choose a directory on the same file system",
    });
  }
}
