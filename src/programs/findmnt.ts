// findmnt and blkid: which file system is mounted where.
import { BootcError, doing } from "../errors.ts";
import type { Context } from "../system/context.ts";

export interface Mount {
  readonly target: string;
  /** The device, or whatever the file system calls its source. */
  readonly source: string;
  readonly type: string;
  readonly options: readonly string[];
  /** The directory of the file system that is mounted: `/`, or a subvolume. */
  readonly fsRoot: string;
}

/** The mount at exactly `path`; undefined when that is no mount point. */
export async function readMount(ctx: Context, path: string): Promise<Mount | undefined> {
  return (await readMounts(ctx, path)).findLast((it) => it.target === path);
}

/** The mounts at and below `path`. */
export async function readMounts(ctx: Context, path: string): Promise<readonly Mount[]> {
  const columns = "TARGET,SOURCE,FSTYPE,OPTIONS,FSROOT";
  const args = ["--json", "--list", "--nofsroot", "--output", columns];
  const text = await ctx.read("findmnt", args);
  const all = parseFindmnt(text);
  return all.filter((it) => it.target === path || it.target.startsWith(`${path}/`));
}

export function parseFindmnt(text: string): readonly Mount[] {
  const { filesystems = [] } = JSON.parse(text) as { filesystems?: readonly FindmntEntry[] };
  return filesystems.map((it) => ({
    target: it.target,
    source: it.source ?? "",
    type: it.fstype,
    options: it.options.split(","),
    fsRoot: it.fsroot,
  }));
}

interface FindmntEntry {
  readonly target: string;
  readonly source: string | null;
  readonly fstype: string;
  readonly options: string;
  readonly fsroot: string;
}

/** The UUID of the file system on a device, read from the device itself. */
export async function readFilesystemUuid(ctx: Context, device: string): Promise<string> {
  const args = ["--probe", "--output", "value", "--match-tag", "UUID", device];
  const uuid = await doing(`reading the UUID of \`${device}\``, () => ctx.read("blkid", args));
  if (uuid.trim() === "") throw new BootcError(`\`${device}\` has no file system with a UUID`);
  return uuid.trim();
}
