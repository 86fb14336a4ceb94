// Directories of the host, in a container that was started without them.
import { mkdir, mkdtemp, rmdir } from "node:fs/promises";
import { join, relative } from "node:path";
import { BootcError, doing } from "../../errors.ts";
import { bindMount, mount, unmount } from "../../programs/disk/mount.ts";
import type { Context } from "../../system/context.ts";
import { exists, isSameFile } from "../../system/files.ts";
import { findHostRoot } from "../../system/host-root.ts";
import { resolveInRoot } from "../../system/in-root.ts";
import { type Mount, readHostCover, readMountsOf } from "../../system/mounts.ts";

/** Where podman keeps images; without it there is nothing to install. */
const CONTAINERS = "/var/lib/containers";
const EFIVARS = "/sys/firmware/efi/efivars";
const OSBUILD = "run/osbuild/containers";

/** Shows this container the host's images, its place for large temporary files, and firmware variables. */
export async function showHostDirectories(ctx: Context): Promise<void> {
  if (!(await showDirectory(ctx, CONTAINERS))) {
    throw new BootcError(`this container does not see the host's \`${CONTAINERS}\``, {
      hint: `run the container with \`-v ${CONTAINERS}:${CONTAINERS}\``,
    });
  }
  // Where this is not possible, such files end up in the container, which is on a disk of the host as well.
  await showDirectory(ctx, "/var/tmp");
  await showFirmware(ctx);
}

/**
 * Has `path` be that of the host; false where it cannot be. Mounts of another namespace cannot be bound, but
 * a device that is mounted once more shows the same file system.
 */
async function showDirectory(ctx: Context, path: string): Promise<boolean> {
  const host = await findHostRoot(ctx);
  if (host === undefined) return true;
  const there = await resolveInRoot(host, path);
  if (!(await exists(there)) || (await isSameFile(there, join(ctx.root, path)))) return true;
  const onHost = join("/", relative(host, there));
  const cover = await readHostCover(ctx, onHost);
  if (cover === undefined || !cover.source.startsWith("/dev/")) return false;
  await doing(`showing this container the host's \`${path}\``, () =>
    bindFromDevice(ctx, { cover, onHost, path }),
  );
  return await isSameFile(there, join(ctx.root, path));
}

async function bindFromDevice(
  ctx: Context,
  it: { readonly cover: Mount; readonly onHost: string; readonly path: string },
): Promise<void> {
  const { type, source, fsRoot } = it.cover;
  const place = await mkdtemp(join(ctx.root, "run/bootc-host-"));
  // What is shown of a btrfs on its own is its default subvolume.
  const options = type === "btrfs" ? { type, options: "subvolid=5" } : { type };
  try {
    await mount(ctx, { source, path: place }, options);
    try {
      await mkdir(join(ctx.root, it.path), { recursive: true });
      const inside = join(place, fsRoot, relative(it.cover.path, it.onHost));
      await bindMount(ctx, inside, it.path);
    } finally {
      await unmount(ctx, place);
    }
  } finally {
    await rmdir(place);
  }
}

/** osbuild, which runs installers without a storage of their own, has images elsewhere. */
export async function showOsbuildImages(ctx: Context): Promise<void> {
  const storage = join(CONTAINERS, "storage");
  const given = join(ctx.root, OSBUILD);
  if ((await exists(join(ctx.root, storage))) || !(await exists(given))) return;
  await mkdir(join(ctx.root, storage), { recursive: true });
  await doing("using the images osbuild has given", () =>
    bindMount(ctx, given, join(ctx.root, storage)),
  );
}

/** Boot loaders leave word with the firmware. */
async function showFirmware(ctx: Context): Promise<void> {
  const isEfivars = (it: Mount) => it.path === EFIVARS && it.type === "efivarfs";
  if (!(await readMountsOf(ctx, "1")).some(isEfivars)) return;
  if ((await readMountsOf(ctx, "self")).some(isEfivars)) return;
  await doing("showing this container the variables of the firmware", () =>
    mount(ctx, { source: "efivarfs", path: EFIVARS }, { type: "efivarfs" }),
  );
}
