// A root file system that somebody else made and mounted: checks it, empties it, describes it as a target.
import { lstat, readdir, realpath, rm, stat } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { BootcError, doing } from "../../errors.ts";
import { parseKargs } from "../../host/kargs.ts";
import { readFilesystemUuid } from "../../programs/disk/blkid.ts";
import { clearImmutable } from "../../programs/disk/fs.ts";
import { readParentDisk } from "../../programs/disk/lsblk.ts";
import { makeWritable, withTreeBound } from "../../programs/disk/mount.ts";
import { listDeploymentsOnDisk } from "../../sysroot/deployments.ts";
import type { Context } from "../../system/context.ts";
import { exists, makeDirectories, readFileIfAny, readLinkIfAny } from "../../system/files.ts";
import { type Mount, readMount, readMountsBelow } from "../../system/root/mounts.ts";
import { FILESYSTEMS, type FilesystemType } from "../plan/choices.ts";
import { decideRootKargs } from "../plan/kargs.ts";
import {
  findFstabMount,
  type MountSpec,
  parseMountSpec,
  withMountOption,
} from "../plan/mount-spec.ts";
import type { Prepared } from "../prepared.ts";
import type { InstallTarget } from "../request.ts";
import { ESP_DIRECTORY } from "./esp.ts";

export interface FilesystemOptions {
  readonly path: string;
  readonly replace?: "wipe" | "alongside";
  readonly rootMountSpec?: string;
  readonly bootMountSpec?: string;
  /** Whether the running system is installed over. */
  readonly isExistingRoot: boolean;
  readonly wantsCleanup: boolean;
}

/** A mounted root, before anything on it was changed. */
export interface MountedRoot {
  /** The physical root, which is below `path` if that is an ostree system. */
  readonly root: string;
  readonly mount: Mount;
  readonly type: FilesystemType;
  readonly bootMount: Mount | undefined;
  /** Whether `/boot` is a separate file system. ostree also mounts a part of the root there. */
  readonly hasOwnBoot: boolean;
  readonly hasOstree: boolean;
}

/** Refuses a directory that is not a mounted root file system. */
export async function requireMountedRoot(ctx: Context, path: string): Promise<MountedRoot> {
  const real = await doing(`looking at \`${path}\``, () => realpath(path));
  if (!(await lstat(real)).isDirectory()) throw new BootcError(`Not a directory: ${path}`);
  await requireMount(ctx, real);
  const root = (await exists(join(real, "sysroot/ostree"))) ? join(real, "sysroot") : real;
  const mount = await requireMount(ctx, root);
  const type = FILESYSTEMS.find((it) => it === mount.type);
  if (type === undefined) {
    throw new BootcError(
      `\`${path}\` is ${mount.type}, but a root must be one of ${FILESYSTEMS.join(", ")}`,
      {
        kind: "unsupported",
      },
    );
  }
  const bootMount = await readMount(ctx, join(real, "boot"));
  const hasOwnBoot =
    bootMount !== undefined && (await stat(bootMount.path)).dev !== (await stat(root)).dev;
  const hasOstree = await exists(join(root, "ostree/repo"));
  return { root, mount, type, bootMount, hasOwnBoot, hasOstree };
}

async function requireMount(ctx: Context, path: string): Promise<Mount> {
  const mount = await readMount(ctx, path);
  if (mount !== undefined) return mount;
  throw new BootcError(`Not a mountpoint: ${path}`, {
    hint: "mount the root file system first, or let `bootc install to-disk` make one",
  });
}

/** The directory with the root's boot files. */
export function bootOf({ root, bootMount }: MountedRoot): string {
  return bootMount?.path ?? join(root, "boot");
}

/**
 * Runs `work` while the physical root shows the `/boot` of an ostree system, with all mounts in it. Such a
 * system has `/boot` elsewhere, but ostree writes to the physical root.
 */
export async function withBoot(
  ctx: Context,
  { root, bootMount }: MountedRoot,
  work: () => Promise<void>,
): Promise<void> {
  const place = join(root, "boot");
  if (bootMount === undefined || bootMount.path === place) return await work();
  await makeDirectories(place);
  await withTreeBound(ctx, { source: bootMount.path, path: place }, work);
}

/** Remounts the target read-write without changing anything on it. */
export async function unprotect(
  ctx: Context,
  target: MountedRoot,
  replace: FilesystemOptions["replace"],
): Promise<void> {
  if (replace !== undefined && target.hasOstree) await unprotectRoot(ctx, target);
  const { bootMount } = target;
  if (replace !== "alongside" || !bootMount?.isReadOnly) return;
  await makeWritable(ctx, bootMount.path);
}

/** Refuses what prevents emptying the target as asked. Without `replace`, it must be empty already. */
export async function requireEmptiable(
  ctx: Context,
  target: MountedRoot,
  replace: FilesystemOptions["replace"],
): Promise<void> {
  const { root } = target;
  if (replace === undefined) return await requireEmpty(ctx, root);
  const boot = bootOf(target);
  const [top, own] =
    replace === "wipe" ? [root, [root]] : [boot, [boot, join(boot, ESP_DIRECTORY)]];
  const inside = (await readMountsBelow(ctx, top)).find((it) => !own.includes(it.path));
  if (inside === undefined) return;
  const what = replace === "wipe" ? "the root to be wiped" : "the `/boot` to be emptied";
  throw new BootcError(`\`${inside.path}\` is mounted inside ${what}`, {
    kind: "busy",
    hint: "unmount it first",
  });
}

/** The physical root of an ostree system is mounted read-only and is immutable at its top. */
async function unprotectRoot(ctx: Context, { root, mount }: MountedRoot): Promise<void> {
  if (mount.isReadOnly) await makeWritable(ctx, root);
  await clearImmutable(ctx, root);
}

/** Deletes everything on the root. */
export async function wipeRoot(ctx: Context, { root }: MountedRoot): Promise<void> {
  ctx.note(`Wiping contents of root: ${(await readdir(root)).join(", ") || "nothing"}`);
  await dropImmutableFlags(ctx, root);
  for (const name of await readdir(root)) await rm(join(root, name), { recursive: true });
}

/** ostree protects deployments against changes, and thus against removal. */
async function dropImmutableFlags(ctx: Context, root: string): Promise<void> {
  for (const { dir } of await listDeploymentsOnDisk(root)) await clearImmutable(ctx, dir);
}

/** Deletes the old system's boot files, except boot entries of ostree, which ostree replaces itself. */
async function emptyBoot(ctx: Context, target: MountedRoot): Promise<void> {
  const boot = bootOf(target);
  if (!(await exists(boot))) return;
  const esp = join(boot, ESP_DIRECTORY);
  const hasEsp = (await readMount(ctx, esp)) !== undefined;
  // ostree's entries are behind a link. A directory belongs to another system, and the repository beside
  // it to an installation that was not completed.
  const isOstrees = target.hasOstree && (await readLinkIfAny(join(boot, "loader"))) !== undefined;
  const names = (await readdir(boot)).filter((name) => {
    if (hasEsp && name === ESP_DIRECTORY) return false;
    return !(isOstrees && (name.startsWith("loader") || name === "ostree"));
  });
  await emptyDirectory(ctx, { what: "/boot", dir: boot, names });
  if (!hasEsp) return;
  await emptyDirectory(ctx, { what: "the ESP", dir: esp, names: await readdir(esp) });
}

async function emptyDirectory(
  ctx: Context,
  { what, dir, names }: { readonly what: string; readonly dir: string; readonly names: string[] },
): Promise<void> {
  ctx.note(`Wiping contents of ${what}: ${names.join(", ") || "nothing"}`);
  for (const name of names) await rm(join(dir, name), { recursive: true });
}

async function requireEmpty(ctx: Context, root: string): Promise<void> {
  const mounted = (await readMountsBelow(ctx, root)).map((it) => it.path);
  for (const name of await readdir(root)) {
    if (name === "lost+found") continue;
    await requireOnlyMounts(join(root, name), { root, mounted });
  }
}

/** Accepts directories that contain only mount points, such as a prepared `/boot`. */
async function requireOnlyMounts(
  path: string,
  within: { readonly root: string; readonly mounted: readonly string[] },
): Promise<void> {
  if (within.mounted.includes(path)) return;
  const name = relative(within.root, path);
  const dir = dirname(name);
  if (!(await lstat(path)).isDirectory()) {
    const isTop = dir === ".";
    throw notEmpty(
      isTop
        ? `Non-empty root filesystem; found ${name}`
        : `Found entry in ${dir}: ${basename(name)}`,
    );
  }
  const names = await readdir(path);
  if (names.length === 0) throw notEmpty(`Found empty directory: ${name}`);
  for (const entry of names) await requireOnlyMounts(join(path, entry), within);
}

function notEmpty(message: string): BootcError {
  return new BootcError(message, {
    hint: "use an empty file system, or say with `--replace` what to do with the content",
  });
}

/** Describes the target: how the installed machine finds its file systems, and where boot loaders go. */
export async function describeTarget(
  ctx: Context,
  prepared: Prepared,
  { mounted, options }: { readonly mounted: MountedRoot; readonly options: FilesystemOptions },
): Promise<InstallTarget> {
  const { mount, root, type } = mounted;
  const uuid = await readFilesystemUuid(ctx, mount.source);
  const cmdline = options.isExistingRoot
    ? parseKargs((await readFileIfAny(join(ctx.root, "proc/cmdline"))) ?? "")
    : undefined;
  const spec = options.rootMountSpec ?? prepared.config?.["root-mount-spec"];
  const inherited = cmdline?.map((it) => it.trim());
  const boot = await decideBoot(ctx, prepared, { mounted, options });
  return {
    root,
    kargs: [
      ...decideRootKargs({ spec, inherited, uuid, type, subvolume: mount.fsRoot }),
      ...(boot === undefined ? [] : [`boot=${boot.source}`]),
    ],
    boot,
    device: mount.source,
    disk: await readParentDisk(ctx, mount.source),
    wantsCleanup: options.wantsCleanup,
    ...(options.replace === "alongside" ? { emptyBoot: () => emptyBoot(ctx, mounted) } : {}),
  };
}

async function decideBoot(
  ctx: Context,
  { config }: Prepared,
  { mounted, options }: { readonly mounted: MountedRoot; readonly options: FilesystemOptions },
): Promise<MountSpec | undefined> {
  const wanted = options.bootMountSpec ?? config?.["boot-mount-spec"];
  if (wanted === "") return undefined;
  if (wanted !== undefined) return withMountOption(parseMountSpec(wanted, "/boot"), "ro");
  const fstab = (await readFileIfAny(join(options.path, "etc/fstab"))) ?? "";
  const written = findFstabMount(fstab, "/boot");
  if (written?.source.startsWith("UUID=")) return withMountOption(written, "ro");
  if (mounted.bootMount === undefined || !mounted.hasOwnBoot) return undefined;
  const uuid = await readFilesystemUuid(ctx, mounted.bootMount.source);
  return { source: `UUID=${uuid}`, target: "/boot", type: mounted.bootMount.type, options: "ro" };
}
