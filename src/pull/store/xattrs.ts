// Extended attributes of objects: the label among them, and how they get onto a file.
import { BootcError, errnoOf } from "../../errors.ts";
import type { FileOrDescriptor, Libc } from "../../native/libc.ts";
import { FILE_TYPES, type FileMetadata, type Xattr } from "../../ostree/objects.ts";
import { damagedTar } from "../../tar/header.ts";

export const LABEL = "security.selinux";

export const SYMLINK_MODE = FILE_TYPES.symlink | 0o777;

/** The attributes with `label` as the only label; without a label when it is undefined. */
export function withLabel(xattrs: readonly Xattr[], label: Buffer | undefined): readonly Xattr[] {
  const others = xattrs.filter(({ name }) => name !== LABEL);
  return label === undefined ? others : [...others, { name: LABEL, value: label }];
}

/** A key that only files, or directories, with the same metadata share. */
export function metadataKey({ uid, gid, mode, xattrs }: FileMetadata): string {
  const owned = `${uid}:${gid}:${mode}`;
  return xattrs.length === 0 ? owned : owned + xattrs.map(keyOf).join("");
}

/** Neither names nor lengths contain a NUL byte, so different attributes have different keys. */
function keyOf({ name, value }: Xattr): string {
  const { buffer, byteOffset, length } = value;
  return `\0${name}\0${length}\0${Buffer.from(buffer, byteOffset, length).toString("latin1")}`;
}

/**
 * Sets the attributes of a new file: last of all, because a change of its owner or content would remove its
 * capabilities. A path is that of a symbolic link.
 */
export function setXattrs(libc: Libc, file: FileOrDescriptor, xattrs: readonly Xattr[]): void {
  for (const { name, value } of xattrs) {
    try {
      libc.setXattr(file, name, value);
    } catch (error) {
      throw explainRefusal(error, { name, value }, typeof file === "string");
    }
  }
}

/** Attributes that take more than this in one file are too many for ext4, whatever room it has. */
const EXT4_BYTES = 3000;

/** What no file system would store is the image's fault, the rest is that of the one we write to. */
function explainRefusal(cause: unknown, { name, value }: Xattr, isSymlink: boolean): unknown {
  // libuv's ENOTSUP is EOPNOTSUPP: on Linux they have one number.
  const code = errnoOf(cause);
  const isImpossible =
    code === "EINVAL" ||
    code === "EACCES" ||
    (code === "ENOTSUP" && (isSymlink || name.startsWith("system."))) ||
    (code === "EPERM" && isSymlink);
  if (isImpossible) {
    const what = isSymlink ? "a symbolic link" : "a file";
    return damagedTar(`the attribute \`${name}\`, which ${what} cannot have with such a value`);
  }
  const message = `the attribute \`${name}\` of ${value.length} bytes cannot be stored`;
  if (code === "ENOTSUP") {
    return new BootcError(`${message}: the repository's file system has no such attributes`, {
      kind: "unsupported",
      hint: "keep the repository on ext4, xfs or btrfs",
      cause,
    });
  }
  if (code === "E2BIG" || (code === "ENOSPC" && value.length > EXT4_BYTES)) {
    return new BootcError(`${message}: it is too large for the repository's file system`, {
      kind: "unsupported",
      hint: "ext4 stores up to 4 KiB of attributes a file, and more with its feature `ea_inode`",
      cause,
    });
  }
  return cause;
}
