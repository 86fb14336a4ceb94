// Looks at a disk as the cut has left it, before a machine boots from it. Much faster than under emulation.
import { mkdtemp, readdir, realpath, rm, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { messageOf } from "../../src/errors.ts";
import { type BootEntry, readBootEntries } from "./boot-entry.ts";
import { attempt, sh } from "./shell.ts";

/** Copies a disk, because mounting replays journals, which is to be the machine's work. */
export async function copyForLook(disk: string): Promise<string> {
  const copy = `${disk}.copy`;
  await sh("cp", ["--sparse=always", disk, copy]);
  return copy;
}

/**
 * Returns what is wrong on the disk that was copied, and removes the copy. Never fails, for nobody waits for it at
 * first: what keeps it from looking, or from tidying up, is wrong as well.
 */
export async function lookAtCopy(copy: string): Promise<readonly string[]> {
  const problems: string[] = [];
  const report = async (what: string, work: () => Promise<unknown>) => {
    await work().catch((error: unknown) => problems.push(`${what}: ${messageOf(error)}`));
  };
  const undo: Undo = [() => rm(copy)];
  await report("the disk cannot be looked at", async () => {
    const mounted = await mountPartitions(copy, undo);
    problems.push(...(await fsck(mounted.root)));
    problems.push(...(await checkEntries(mounted)));
  });
  for (const step of undo.reverse()) await report("the disk cannot be put away", step);
  return problems;
}

/** The steps that put away what was made so far, in the order of making. */
type Undo = (() => Promise<unknown>)[];

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
async function mountPartitions(disk: string, undo: Undo): Promise<Mounted> {
  const text = await sh("sfdisk", ["--json", disk]);
  const { partitiontable: table } = JSON.parse(text) as {
    partitiontable: { sectorsize: number; partitions: readonly Partition[] };
  };
  const mounts: string[] = [];
  for (const { start, size } of table.partitions) {
    const range = [
      `--offset=${start * table.sectorsize}`,
      `--sizelimit=${size * table.sectorsize}`,
    ];
    const device = (await sh("losetup", ["--find", "--show", ...range, disk])).trim();
    undo.push(() => sh("losetup", ["--detach", device]));
    const type = (await attempt("blkid", ["--probe", "-o", "value", "-s", "TYPE", device])).stdout;
    if (!["ext4", "xfs", "btrfs"].includes(type.trim())) continue;
    const place = await mkdtemp(join(tmpdir(), "bootc-vm-look-"));
    // Only the empty directory, not what is in it: the file system may still be mounted.
    undo.push(() => rmdir(place));
    await sh("mount", [device, place]);
    undo.push(() => sh("umount", [place]));
    mounts.push(place);
  }
  const root = mounts.at(-1);
  if (root === undefined) throw new Error(`${disk} has no root`);
  return { root, boot: mounts.length > 1 ? (mounts[0] ?? root) : join(root, "boot") };
}

async function fsck(root: string): Promise<readonly string[]> {
  const repo = `--repo=${join(root, "ostree/repo")}`;
  const ran = await attempt("nice", ["ostree", "fsck", "--quiet", repo]);
  return ran.status === 0 ? [] : [`ostree fsck: ${ran.stdout}${ran.stderr}`];
}

/** A kernel that is torn, or that of another deployment, does not wait until its entry is booted. */
async function checkEntries(mounted: Mounted): Promise<readonly string[]> {
  const entries = await readBootEntries(mounted.boot);
  if (entries.length === 0) return ["the boot loader has no entries"];
  const problems = await Promise.all(
    entries.map((it) =>
      checkEntry(it, mounted).catch((error: unknown) => [`${it.file}: ${messageOf(error)}`]),
    ),
  );
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
