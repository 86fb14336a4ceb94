// Prepares a whole disk: refuses a disk in use, then partitions, formats and mounts it.
import { randomUUID } from "node:crypto";
import { constants, mkdtemp, open, rmdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { BootcError, doing, errnoOf } from "../../errors.ts";
import { formatBinarySize } from "../../format/size.ts";
import { eraseSignatures } from "../../programs/disk/fs.ts";
import {
  type BlockDevice,
  flattenDevice,
  readBlockDevice,
  readSignatures,
} from "../../programs/disk/lsblk.ts";
import { ESP_MAKER, filesystemMaker, makeEsp, makeFilesystem } from "../../programs/disk/mkfs.ts";
import { mount, unmountTree } from "../../programs/disk/mount.ts";
import { showPartitions, writePartitions } from "../../programs/disk/sfdisk.ts";
import { settleDevices } from "../../programs/disk/udevadm.ts";
import type { Context } from "../../system/context.ts";
import { exists, makeDirectories } from "../../system/files.ts";
import { requirePrograms } from "../../system/find-program.ts";
import type { BlockSetup, FilesystemType } from "../plan/choices.ts";
import type { MountSpec } from "../plan/mount-spec.ts";
import {
  formatPartitionScript,
  type Partition,
  partitionNode,
  planPartitions,
  requireRoom,
} from "../plan/partition-plan.ts";
import { type RootDevice, withEncryption } from "./encryption.ts";

const MOUNT_DIR = "run/bootc/mounts";

/** How long the kernel may take to show new partitions, in milliseconds. */
const NODES_LIMIT_MS = 30_000;

/** A disk that nobody uses, and whose content may be erased. */
export interface FreeDisk {
  readonly device: BlockDevice;
  /** A phrase for each thing on the disk. */
  readonly contents: readonly string[];
}

/** Refuses a disk that is in use or, without `mayWipe`, not empty. Changes nothing. */
export async function requireFreeDisk(
  ctx: Context,
  path: string,
  { mayWipe }: { readonly mayWipe: boolean },
): Promise<FreeDisk> {
  const device = await readBlockDevice(ctx, path);
  if (device.type === "part") {
    throw new BootcError(
      `Device ${path} is a partition, but a partition table needs a whole disk`,
      {
        kind: "usage",
        hint: "give the disk, or make a file system and use `bootc install to-filesystem`",
      },
    );
  }
  for (const it of flattenDevice(device)) requireUnused(path, it);
  for (const it of flattenDevice(device)) await requireUnclaimed(path, it.path);
  const contents = await describeContents(ctx, device);
  if (mayWipe || contents.length === 0) return { device, contents };
  throw new BootcError(`Detected existing partitions on ${path}: ${contents.join("; ")}`, {
    hint: `erase them with \`wipefs -a ${path}\`, or give \`--wipe\``,
  });
}

function requireUnused(disk: string, { path, type, mountPoints }: BlockDevice): void {
  const [where] = mountPoints;
  if (where !== undefined) {
    const what = where === "[SWAP]" ? "used as swap" : `mounted at \`${where}\``;
    const place = path === disk ? "" : `: \`${path}\` is ${what}`;
    throw new BootcError(`Device ${disk} is mounted${place || ` at \`${where}\``}`, {
      kind: "busy",
      hint: where === "[SWAP]" ? `run \`swapoff ${path}\`` : `run \`umount ${where}\``,
    });
  }
  if (!["disk", "loop", "part"].includes(type)) {
    throw new BootcError(`Device ${disk} is in use: \`${path}\` (${type}) is made of it`, {
      kind: "busy",
      hint: `disassemble \`${path}\` first`,
    });
  }
}

/** Asks the kernel, which also knows users in other mount namespaces: an exclusive open fails with EBUSY. */
async function requireUnclaimed(disk: string, node: string): Promise<void> {
  try {
    await (await open(node, constants.O_RDONLY | constants.O_EXCL)).close();
  } catch (error) {
    if (errnoOf(error) !== "EBUSY") throw error;
    throw new BootcError(`Device ${disk} is in use: the kernel says \`${node}\` is busy`, {
      kind: "busy",
      hint: "something outside this mount namespace uses it; stop that first",
    });
  }
}

/** What would be lost: each device with its content. */
async function describeContents(ctx: Context, device: BlockDevice): Promise<readonly string[]> {
  const contents: string[] = [];
  for (const it of flattenDevice(device)) {
    const signatures = await readSignatures(ctx, it.path);
    if (it === device && signatures.length === 0) continue;
    contents.push(`${it.path} (${[formatBinarySize(it.sizeBytes), ...signatures].join(", ")})`);
  }
  return contents;
}

export interface DiskLayout {
  readonly setup: BlockSetup;
  readonly filesystem: FilesystemType;
  readonly rootSizeMiB: number | undefined;
  /** Whether systemd-boot starts the system; it reads only a separate /boot, and on that only ext4. */
  readonly isForSystemdBoot: boolean;
}

export interface PreparedDisk {
  readonly rootUuid: string;
  readonly rootDir: string;
  /** Arguments with which an initramfs unlocks the root. */
  readonly unlockKargs: readonly string[];
  /** The mount of `/boot`, if that is a separate file system. */
  readonly boot: MountSpec | undefined;
}

export interface DiskJob<T> {
  readonly layout: DiskLayout;
  readonly work: (prepared: PreparedDisk) => Promise<T>;
}

/** Announces what will be lost and erases it, then makes and mounts file systems for `work`. */
export async function withNewDisk<T>(
  ctx: Context,
  disk: FreeDisk,
  { layout, work }: DiskJob<T>,
): Promise<T> {
  const { path } = disk.device;
  const isEncrypted = layout.setup === "tpm2-luks";
  const partitions = planPartitions({
    arch: process.arch,
    rootSizeMiB: layout.rootSizeMiB,
    boot: decideBoot(layout),
  });
  requireRoom(partitions, disk.device.sizeBytes);
  requireMakers(ctx, partitions, layout);
  announce(ctx, disk, layout.setup);
  await doing(`erasing \`${path}\``, () => eraseDisk(ctx, disk));
  await doing(`partitioning \`${path}\``, () => partitionDisk(ctx, path, partitions));
  const nodes = findNodes(path, partitions);
  const fill = (root: RootDevice) => withFilesystems(ctx, { root, nodes, layout, work });
  if (isEncrypted) return await withEncryption(ctx, nodes.root, fill);
  return await fill({ node: nodes.root, kargs: [] });
}

/** The separate boot file system that a layout needs. */
function decideBoot({ setup, isForSystemdBoot }: DiskLayout): "none" | "any" | "xbootldr" {
  if (isForSystemdBoot) return "xbootldr";
  // A boot loader reads /boot before anything can be unlocked.
  return setup === "tpm2-luks" ? "any" : "none";
}

function bootFilesystem({ filesystem, isForSystemdBoot }: DiskLayout): FilesystemType {
  return isForSystemdBoot ? "ext4" : filesystem;
}

/** Checks for the programs now, because the first one runs when the old content is already erased. */
function requireMakers(ctx: Context, partitions: readonly Partition[], layout: DiskLayout): void {
  const has = (role: Partition["role"]) => partitions.some((it) => it.role === role);
  requirePrograms(ctx, [
    "sfdisk",
    filesystemMaker(layout.filesystem),
    ...(has("boot") ? [filesystemMaker(bootFilesystem(layout))] : []),
    ...(has("esp") ? [ESP_MAKER] : []),
  ]);
}

interface Nodes {
  readonly root: string;
  readonly esp: string | undefined;
  readonly boot: string | undefined;
}

function findNodes(disk: string, partitions: readonly Partition[]): Nodes {
  const nodeOf = (role: Partition["role"]) => {
    const index = partitions.findIndex((it) => it.role === role);
    return index < 0 ? undefined : partitionNode(disk, index + 1);
  };
  return { root: nodeOf("root") ?? "", esp: nodeOf("esp"), boot: nodeOf("boot") };
}

interface Formatting<T> extends DiskJob<T> {
  readonly root: RootDevice;
  readonly nodes: Nodes;
}

async function withFilesystems<T>(
  ctx: Context,
  { root, nodes, layout, work }: Formatting<T>,
): Promise<T> {
  const rootUuid = randomUUID();
  const bootUuid = randomUUID();
  const type = layout.filesystem;
  const bootType = bootFilesystem(layout);
  if (nodes.esp !== undefined) await makeEsp(ctx, nodes.esp);
  if (nodes.boot !== undefined) {
    const boot = { node: nodes.boot, label: "boot", uuid: bootUuid };
    await makeFilesystem(ctx, bootType, { ...boot, isForFirmware: layout.isForSystemdBoot });
  }
  await makeFilesystem(ctx, type, { node: root.node, label: "root", uuid: rootUuid });
  const boot =
    nodes.boot === undefined
      ? undefined
      : { source: `UUID=${bootUuid}`, target: "/boot", type: bootType, options: "ro" };
  return await withMounted(ctx, { root: root.node, boot: nodes.boot }, (rootDir) =>
    work({ rootUuid, rootDir, unlockKargs: root.kargs, boot }),
  );
}

/** Mounts in a new directory, so that two installations at once do not disturb each other. */
async function withMounted<T>(
  ctx: Context,
  nodes: Pick<Nodes, "root" | "boot">,
  work: (dir: string) => Promise<T>,
): Promise<T> {
  await makeDirectories(join(ctx.root, MOUNT_DIR));
  const dir = await mkdtemp(join(ctx.root, MOUNT_DIR, "rootfs-"));
  try {
    await mount(ctx, { source: nodes.root, path: dir });
  } catch (error) {
    await rmdir(dir);
    throw error;
  }
  // After a failure, something may still use the file system; a lazy unmount waits for that.
  let isLazy = true;
  try {
    const boot = join(dir, "boot");
    await makeDirectories(boot);
    if (nodes.boot !== undefined) await mount(ctx, { source: nodes.boot, path: boot });
    const result = await work(dir);
    isLazy = false;
    return result;
  } finally {
    await unmountTree(ctx, dir, { isLazy });
    await rmdir(dir);
  }
}

function announce(ctx: Context, { device, contents }: FreeDisk, setup: BlockSetup): void {
  ctx.note(`Block setup: ${setup}`);
  ctx.note(`       Size: ${formatBinarySize(device.sizeBytes)}`);
  ctx.note(`     Serial: ${device.serial ?? "<unknown>"}`);
  ctx.note(`      Model: ${device.model ?? "<unknown>"}`);
  if (contents.length > 0) ctx.note(`Erasing on ${device.path}: ${contents.join("; ")}`);
}

async function eraseDisk(ctx: Context, { device }: FreeDisk): Promise<void> {
  // Partitions first: with the new table, their old signatures could reappear.
  for (const it of [...flattenDevice(device)].reverse()) await eraseSignatures(ctx, it.path);
}

async function partitionDisk(
  ctx: Context,
  path: string,
  partitions: readonly Partition[],
): Promise<void> {
  const input = formatPartitionScript(partitions);
  await writePartitions(ctx, path, input);
  await settleDevices(ctx);
  const last = partitionNode(path, partitions.length);
  // A kernel built without support for this kind of table has to be told.
  if (!(await exists(last))) await showPartitions(ctx, path);
  const end = Date.now() + NODES_LIMIT_MS;
  while (!(await exists(last))) {
    if (Date.now() > end) throw new BootcError(`the kernel does not show \`${last}\``);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Refuses a path that is not a block device or, with `isLoopback`, not a file. */
export async function requireDevice(path: string, isLoopback: boolean): Promise<void> {
  const found = await doing(`looking at \`${path}\``, () => stat(path));
  if (isLoopback && !found.isFile()) {
    throw new BootcError(`Not a regular file (to be used via loopback): ${path}`, {
      kind: "usage",
    });
  }
  if (!isLoopback && !found.isBlockDevice()) {
    throw new BootcError(`Not a block device: ${path}`, {
      kind: "usage",
      hint: "to install to a disk image in a file, give `--via-loopback`",
    });
  }
}
