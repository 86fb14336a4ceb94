// What is mounted where, according to /proc/self/mountinfo.
import { join } from "node:path";
import type { Context } from "../context.ts";
import { readFileIfAny } from "../files.ts";

export interface Mount {
  readonly path: string;
  /** `MAJOR:MINOR`. */
  readonly device: string;
  /** The mounted directory of the file system: `/`, or a subvolume. */
  readonly fsRoot: string;
  readonly type: string;
  /** The device, or whatever else the file system calls its source. */
  readonly source: string;
  /** Whether the mount or the whole file system is read-only. */
  readonly isReadOnly: boolean;
}

/** The topmost mount exactly at `path`; undefined when nothing is mounted there. */
export async function readMount(ctx: Context, path: string): Promise<Mount | undefined> {
  return await withDevice(
    ctx,
    (await readMountsOf(ctx, "self")).findLast((it) => it.path === path),
  );
}

/** The mount that contains `path` for process 1: the host's, in a container that shares its processes. */
export async function readHostCover(ctx: Context, path: string): Promise<Mount | undefined> {
  return await withDevice(ctx, findCover(await readMountsOf(ctx, "1"), path));
}

async function withDevice<T extends Mount | undefined>(ctx: Context, mount: T): Promise<T> {
  if (mount?.source !== "/dev/root") return mount;
  // The kernel's name for a root it mounted without an initramfs; no such device exists.
  return { ...mount, source: (await readDeviceName(ctx, mount.device)) ?? mount.source };
}

/** The mounts at and below `path`. */
export async function readMountsBelow(ctx: Context, path: string): Promise<readonly Mount[]> {
  return (await readMountsOf(ctx, "self")).filter(
    (it) => it.path === path || it.path.startsWith(`${path}/`),
  );
}

/** All mounts in a process's namespace. */
export async function readMountsOf(ctx: Context, process: "self" | "1"): Promise<readonly Mount[]> {
  return parseMountinfo((await readFileIfAny(join(ctx.root, "proc", process, "mountinfo"))) ?? "");
}

async function readDeviceName(ctx: Context, device: string): Promise<string | undefined> {
  const text = await readFileIfAny(join(ctx.root, "sys/dev/block", device, "uevent"));
  const name = /^DEVNAME=(.+)$/m.exec(text ?? "")?.[1];
  return name === undefined ? undefined : `/dev/${name}`;
}

/** Format: proc_pid_mountinfo(5). */
export function parseMountinfo(text: string): readonly Mount[] {
  return text.split("\n").flatMap((line) => {
    const [before = "", after = ""] = line.split(" - ");
    const [, , device, fsRoot, path, options] = before.split(" ");
    const [type, source, superOptions = ""] = after.split(" ");
    if (!device || !fsRoot || !path || !options || !type || source === undefined) return [];
    const isReadOnly = [options, superOptions].some((it) => it.split(",").includes("ro"));
    const [mountedRoot, mountedAt, from] = [fsRoot, path, source].map(unescapeField) as [
      string,
      string,
      string,
    ];
    return [{ path: mountedAt, device, fsRoot: mountedRoot, type, source: from, isReadOnly }];
  });
}

/** The mount that contains `path`: the deepest one, or the topmost of several at the same place. */
export function findCover(mounts: readonly Mount[], path: string): Mount | undefined {
  const above = mounts.filter((it) => it.path === "/" || `${path}/`.startsWith(`${it.path}/`));
  const depth = Math.max(...above.map((it) => it.path.length));
  return above.findLast((it) => it.path.length === depth);
}

/** Whether `path` is mounted read-only from a read-only device, such as a DVD. */
export async function isOnReadOnlyMedium(ctx: Context, path: string): Promise<boolean> {
  const mount = await readMount(ctx, path);
  if (mount === undefined || !mount.isReadOnly) return false;
  const flag = await readFileIfAny(join(ctx.root, "sys/dev/block", mount.device, "ro"));
  return flag?.trim() === "1";
}

function unescapeField(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}
