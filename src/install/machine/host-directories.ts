// Shows directories of the host in a container that was started without them.
import { mkdtemp, rmdir } from "node:fs/promises";
import { join, relative } from "node:path";
import { BootcError, doing } from "../../errors.ts";
import { bindMount, mount, unmount } from "../../programs/disk/mount.ts";
import type { Context } from "../../system/context.ts";
import { exists, isSameFile, makeDirectories } from "../../system/files.ts";
import { findHostRoot } from "../../system/root/host-root.ts";
import { resolveInRoot } from "../../system/root/in-root.ts";
import { type Mount, readHostCover, readMountsOf } from "../../system/root/mounts.ts";

/** Where podman keeps images, including the one to install. */
const CONTAINERS = "/var/lib/containers";
const EFIVARS = "/sys/firmware/efi/efivars";
const OSBUILD = "run/osbuild/containers";

/** Shows this container the host's images, /var/tmp for large files, and the firmware variables. */
export async function showHostDirectories(ctx: Context): Promise<void> {
  if (!(await showDirectory(ctx, CONTAINERS))) {
    throw new BootcError(`this container does not see the host's \`${CONTAINERS}\``, {
      hint: `run the container with \`-v ${CONTAINERS}:${CONTAINERS}\``,
    });
  }
  // Otherwise, temporary files go into the container, which is on a disk of the host as well.
  await showDirectory(ctx, "/var/tmp");
  await showFirmware(ctx);
}

/**
 * Mounts the host's `path` here; false if that is not possible. A mount of another namespace cannot be
 * bound, but mounting its device again shows the same file system.
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
  {
    cover,
    onHost,
    path,
  }: { readonly cover: Mount; readonly onHost: string; readonly path: string },
): Promise<void> {
  const { type, source, fsRoot } = cover;
  const place = await mkdtemp(join(ctx.root, "run/bootc-host-"));
  // By default, mounting a btrfs shows only its default subvolume.
  const options = type === "btrfs" ? { type, options: "subvolid=5" } : { type };
  try {
    await mount(ctx, { source, path: place }, options);
    try {
      await makeDirectories(join(ctx.root, path));
      const inside = join(place, fsRoot, relative(cover.path, onHost));
      await bindMount(ctx, inside, path);
    } finally {
      await unmount(ctx, place);
    }
  } finally {
    await rmdir(place);
  }
}

/** osbuild runs installers without a container storage, and passes images at another path. */
export async function showOsbuildImages(ctx: Context): Promise<void> {
  const storage = join(CONTAINERS, "storage");
  const given = join(ctx.root, OSBUILD);
  if ((await exists(join(ctx.root, storage))) || !(await exists(given))) return;
  await makeDirectories(join(ctx.root, storage));
  await doing("using the images that osbuild provides", () =>
    bindMount(ctx, given, join(ctx.root, storage)),
  );
}

/** Boot loader installers register boot entries in firmware variables. */
async function showFirmware(ctx: Context): Promise<void> {
  const isEfivars = (it: Mount) => it.path === EFIVARS && it.type === "efivarfs";
  if (!(await readMountsOf(ctx, "1")).some(isEfivars)) return;
  if ((await readMountsOf(ctx, "self")).some(isEfivars)) return;
  await doing("showing this container the variables of the firmware", () =>
    mount(ctx, { source: "efivarfs", path: EFIVARS }, { type: "efivarfs" }),
  );
}
