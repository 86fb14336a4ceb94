// The file systems that recordings are made on: how they are made, mounted, checked and repaired.
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { attempt, sh } from "../vm/shell.ts";

interface FileSystem {
  readonly make: readonly string[];
  readonly options: string;
  /** Replays its journal, and writes nothing else. */
  readonly recovering: string;
  readonly check: readonly string[];
  /** What a person has to run when it cannot be mounted. */
  readonly repair: readonly string[];
  /** The smallest that its programs make. */
  readonly sizeMiB: number;
}

export const FILE_SYSTEMS = {
  ext4: {
    make: ["mkfs.ext4", "-q", "-F", "-b", "4096", "-E", "lazy_itable_init=0,lazy_journal_init=0"],
    options: "rw",
    recovering: "ro",
    check: ["e2fsck", "-f", "-n"],
    repair: ["e2fsck", "-f", "-y"],
    sizeMiB: 256,
  },
  xfs: {
    make: ["mkfs.xfs", "-q", "-f", "-K"],
    options: "rw,nouuid",
    recovering: "ro,nouuid",
    check: ["xfs_repair", "-n"],
    repair: ["xfs_repair", "-L"],
    sizeMiB: 320,
  },
  btrfs: {
    make: ["mkfs.btrfs", "-q", "-f", "-K"],
    options: "rw,nodiscard",
    recovering: "ro",
    check: ["btrfs", "check", "--readonly"],
    repair: ["btrfs", "rescue", "super-recover", "-y"],
    sizeMiB: 320,
  },
} as const satisfies Readonly<Record<string, FileSystem>>;

export type FileSystemName = keyof typeof FILE_SYSTEMS;

/** A file system at a place of a disk. */
export interface Part {
  readonly type: FileSystemName;
  readonly offset: number;
  readonly bytes: number;
}

/** Where the file systems are on a disk. */
export interface Layout {
  readonly root: Part;
  /** When `/boot` is a file system of its own. */
  readonly boot?: Part;
}

const MIB = 1 << 20;
/** Large enough for a second copy of the superblock. */
const BOOT_MIB = 160;

/** The size of a root that has room for systems that boot. */
export const LARGE_MIB = 1536;

export function layOut(
  root: FileSystemName,
  boot?: FileSystemName,
  rootMiB: number = FILE_SYSTEMS[root].sizeMiB,
): Layout {
  const bytes = rootMiB * MIB;
  return {
    root: { type: root, offset: 0, bytes },
    ...(boot === undefined ? {} : { boot: { type: boot, offset: bytes, bytes: BOOT_MIB * MIB } }),
  };
}

export function diskBytes({ root, boot }: Layout): number {
  return root.bytes + (boot?.bytes ?? 0);
}

/** Why a file system cannot be used here; undefined if it can. */
export async function missingForFileSystem(type: FileSystemName): Promise<string | undefined> {
  const known = await readFile("/proc/filesystems", "utf8");
  if (!known.split(/\s+/).includes(type)) return `this kernel has no ${type}`;
  const { make, check } = FILE_SYSTEMS[type];
  const isThere = (name: string) =>
    ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].some((dir) => existsSync(`${dir}/${name}`));
  const missing = [make[0], check[0]].find((it) => !isThere(it));
  return missing === undefined ? undefined : `needs ${missing}`;
}

/** Makes the file systems in a file that is large enough. */
export async function formatDisk(path: string, layout: Layout): Promise<void> {
  for (const part of [layout.root, layout.boot]) {
    if (part === undefined) continue;
    const [program, ...args] = FILE_SYSTEMS[part.type].make;
    const device = await attach(path, part);
    try {
      await sh(program, [...args, device]);
    } finally {
      await sh("losetup", ["--detach", device]);
    }
  }
}

/** Returns the loop device of a part of a disk. */
export async function attach(path: string, part: Part): Promise<string> {
  const place = [`--offset=${part.offset}`, `--sizelimit=${part.bytes}`];
  return (await sh("losetup", ["--find", "--show", ...place, path])).trim();
}

/**
 * Detaches the loop devices of files below `dir`. Ctrl-C also ends the programs that would have done it; a device that is
 * mounted goes with its mount. Files count by what they are: once the mount namespace has ended in which a device was
 * attached, the kernel gives only a part of the path.
 */
export async function detachBelow(dir: string): Promise<void> {
  const files = await identifyFiles(dir);
  const columns = "NAME,BACK-MAJ:MIN,BACK-INO";
  const listed = await sh("losetup", ["--list", "--noheadings", "--output", columns]);
  for (const line of listed.split("\n")) {
    const [device, ...identity] = line.trim().split(/\s+/);
    if (device !== undefined && files.has(identity.join(" "))) {
      await attempt("losetup", ["--detach", device]);
    }
  }
}

/** The files below `dir`, by device and inode, as losetup prints these. */
async function identifyFiles(dir: string): Promise<ReadonlySet<string>> {
  const printed = await sh("find", [dir, "-xdev", "-type", "f", "-printf", "%D %i\n"]);
  const lines = printed.split("\n").filter((it) => it !== "");
  return new Set(
    lines.map((it) => {
      const [device = 0, inode = 0] = it.split(" ").map(Number);
      const major = (device >> 8) & 0xfff;
      const minor = (device & 0xff) | ((device >> 12) & 0xfff00);
      return `${major}:${minor} ${inode}`;
    }),
  );
}

/** The kernel refuses to mount a file system. */
export class UnmountableError extends Error {}

/** The status of mount(8) for that. */
const MOUNT_FAILED = 32;

/**
 * Mounts a part of a disk by a loop device that goes with the mount. `mount -o loop` would take a device that another
 * mount of the same disk has just left, and that may be read-only.
 */
async function mountPart(
  path: string,
  { part, options }: { readonly part: Part; readonly options: string },
  at: string,
): Promise<void> {
  const device = await attach(path, part);
  try {
    const words = ["-t", part.type, "-o", options, device, at];
    const { status, stderr } = await attempt("mount", words);
    if (status === MOUNT_FAILED) throw new UnmountableError(stderr.trim());
    if (status !== 0) throw new Error(`mount ended with ${status}: ${stderr}`);
  } finally {
    await sh("losetup", ["--detach", device]);
  }
}

/** Mounts the root at `dir`, and `/boot` on it if it is separate. Returns what unmounts them. */
export async function mountDisk(path: string, layout: Layout, dir: string) {
  const mount = (part: Part, at: string) =>
    mountPart(path, { part, options: FILE_SYSTEMS[part.type].options }, at);
  await mount(layout.root, dir);
  const { boot } = layout;
  if (boot !== undefined) {
    try {
      const made = await attempt("mkdir", ["-p", `${dir}/boot`]);
      // A damaged root may refuse it.
      if (made.status !== 0) throw new UnmountableError(made.stderr.trim());
      await mount(boot, `${dir}/boot`);
    } catch (error) {
      await sh("umount", [dir]);
      throw error;
    }
  }
  return async () => {
    if (boot !== undefined) await sh("umount", [`${dir}/boot`]);
    await sh("umount", [dir]);
  };
}

/** Repairs what cannot be mounted. */
export async function repairDisk(path: string, layout: Layout): Promise<void> {
  for (const part of [layout.root, layout.boot]) {
    if (part === undefined) continue;
    const [program, ...args] = FILE_SYSTEMS[part.type].repair;
    const device = await attach(path, part);
    try {
      // Its status says whether there was something to repair; mounting shows whether it worked.
      await attempt(program, [...args, device]);
    } finally {
      await sh("losetup", ["--detach", device]);
    }
  }
}
