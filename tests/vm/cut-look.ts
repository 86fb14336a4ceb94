// Looks at a disk as the cut has left it, before a machine boots from it. Much faster than under emulation.
import { mkdir, mkdtemp, readdir, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BootEntry, readBootEntries } from "./boot-entry.ts";
import { attempt, sh } from "./shell.ts";

/** Copies a disk, because mounting replays journals, which is to be the machine's work. */
export async function copyForLook(disk: string): Promise<string> {
  const copy = `${disk}.copy`;
  await sh("cp", ["--sparse=always", disk, copy]);
  return copy;
}

/** Returns what is wrong on the disk that was copied, and removes the copy. */
export async function lookAtCopy(copy: string): Promise<readonly string[]> {
  const dir = await mkdtemp(join(tmpdir(), "bootc-vm-look-"));
  try {
    return await withPartitions(copy, dir, async ({ root, boot }) => [
      ...(await fsck(root)),
      ...(await checkEntries(root, boot)),
    ]);
  } catch (error) {
    return [`the disk cannot be looked at: ${error instanceof Error ? error.message : error}`];
  } finally {
    await rm(dir, { recursive: true });
    await rm(copy);
  }
}

interface Mounted {
  readonly root: string;
  /** The top of the file system that has the boot entries. */
  readonly boot: string;
}

interface Partition {
  readonly start: number;
  readonly size: number;
}

/** The root is the last partition. Another one that Linux mounts, but not the firmware, is `/boot`. */
async function withPartitions<T>(
  disk: string,
  dir: string,
  work: (mounted: Mounted) => Promise<T>,
): Promise<T> {
  const text = await sh("sfdisk", ["--json", disk]);
  const { partitiontable: table } = JSON.parse(text) as {
    partitiontable: { sectorsize: number; partitions: readonly Partition[] };
  };
  const undo: (() => Promise<unknown>)[] = [];
  const mounts: string[] = [];
  try {
    for (const { start, size } of table.partitions) {
      const range = [
        `--offset=${start * table.sectorsize}`,
        `--sizelimit=${size * table.sectorsize}`,
      ];
      const device = (await sh("losetup", ["--find", "--show", ...range, disk])).trim();
      undo.push(() => sh("losetup", ["--detach", device]));
      const type = (await attempt("blkid", ["--probe", "-o", "value", "-s", "TYPE", device]))
        .stdout;
      if (!["ext4", "xfs", "btrfs"].includes(type.trim())) continue;
      const place = join(dir, String(mounts.length));
      await mkdir(place);
      await sh("mount", [device, place]);
      undo.push(() => sh("umount", [place]));
      mounts.push(place);
    }
    const root = mounts.at(-1);
    if (root === undefined) throw new Error(`${disk} has no root`);
    return await work({ root, boot: mounts.length > 1 ? (mounts[0] ?? root) : join(root, "boot") });
  } finally {
    for (const step of undo.reverse()) await step();
  }
}

async function fsck(root: string): Promise<readonly string[]> {
  const repo = `--repo=${join(root, "ostree/repo")}`;
  const ran = await attempt("nice", ["ostree", "fsck", "--quiet", repo]);
  return ran.status === 0 ? [] : [`ostree fsck: ${ran.stdout}${ran.stderr}`];
}

/** A kernel that is torn, or that of another deployment, does not wait until its entry is booted. */
async function checkEntries(root: string, boot: string): Promise<readonly string[]> {
  const entries = await readBootEntries(boot);
  if (entries.length === 0) return ["the boot loader has no entries"];
  const problems = await Promise.all(entries.map((it) => checkEntry(it, { root, boot })));
  return problems.flat();
}

async function checkEntry(entry: BootEntry, { root, boot }: Mounted): Promise<readonly string[]> {
  const link = /(?:^| )ostree=(\S+)/.exec(entry.options)?.[1] ?? "";
  const deployment = await realpath(join(root, link));
  const modules = join(deployment, "usr/lib/modules");
  const [kernel = ""] = await readdir(modules);
  const pairs = [
    [entry.kernel, "vmlinuz"],
    [entry.initrd, "initramfs.img"],
  ] as const;
  const problems: string[] = [];
  for (const [file, name] of pairs) {
    const inside = join(boot, file.replace(/^\/boot\//, "/"));
    const ran = await attempt("cmp", [inside, join(modules, kernel, name)]);
    if (ran.status !== 0) problems.push(`${entry.file}: ${ran.stdout}${ran.stderr}`);
  }
  return problems;
}
