// The kernel of an image: a unified kernel image, or a file in its modules' directory.
import { BootcError } from "../errors.ts";
import type { ImageTree } from "./tree.ts";

export interface Kernel {
  readonly version: string;
  /** One file with kernel, initramfs and arguments. */
  readonly isUnified: boolean;
}

export const MODULES_DIR = "usr/lib/modules";
export const UNIFIED_DIR = "boot/EFI/Linux";

export interface KernelNames {
  /** The names in the directory of unified kernel images, sorted. */
  readonly unified: readonly string[];
  /** The directories of modules that have a kernel, sorted. */
  readonly versions: readonly string[];
}

/** The kernel that a host would boot; undefined when there is none. */
export function decideKernel({ unified, versions }: KernelNames): Kernel | undefined {
  const image = unified.find((it) => it.endsWith(".efi"));
  if (image !== undefined) return { version: image.replace(/\.efi$/, ""), isUnified: true };
  const [version, ...others] = versions;
  if (version === undefined) return undefined;
  if (others.length === 0) return { version, isUnified: false };
  throw new BootcError(`Found multiple subdirectories in ${MODULES_DIR}`, {
    hint: `keep one of ${versions.map((it) => `\`${it}\``).join(", ")}`,
  });
}

export function findKernel(tree: ImageTree): Kernel | undefined {
  return decideKernel({ unified: tree.names(UNIFIED_DIR), versions: kernelVersions(tree) });
}

/** The directories of modules that have a kernel, sorted. */
export function kernelVersions(tree: ImageTree): readonly string[] {
  return tree
    .names(MODULES_DIR)
    .filter((it) => tree.follow(`${MODULES_DIR}/${it}/vmlinuz`)?.kind === "file");
}
