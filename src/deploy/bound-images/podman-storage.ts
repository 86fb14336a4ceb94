// The host's container storage as podman sees it: under one path, whatever the physical root is.
import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bindMount, unmount } from "../../programs/disk/mount.ts";
import type { PodmanStorage } from "../../programs/podman.ts";
import { readAuthFile } from "../../programs/skopeo/policy.ts";
import type { Context } from "../../system/context.ts";
import { makeDirectories } from "../../system/files.ts";
import { addToStorage } from "./storage.ts";
import { hostStorage } from "./unified.ts";

/** Podman remembers this name in the storage; other implementations use the same. */
const SEEN_AT = "run/bootc/storage";

/** Runs `work` while the storage is shown there, for us alone. The caller is in mounts of its own. */
export async function withPodmanStorage(
  ctx: Context,
  work: (storage: PodmanStorage) => Promise<void>,
): Promise<void> {
  const seenAt = join(ctx.root, SEEN_AT);
  await makeDirectories(seenAt);
  // Opened before it is hidden by the mount.
  const run = await open(seenAt, "r");
  const temporary = await mkdtemp(join(tmpdir(), "bootc-podman-"));
  try {
    const authFile = await requireAuthFile(ctx, temporary);
    await addToStorage(ctx, await hostStorage(ctx), async ({ dir }) => {
      await bindMount(ctx, dir, seenAt);
      try {
        await work({ dir: seenAt, runDescriptor: run.fd, authFile });
      } finally {
        await unmount(ctx, seenAt);
      }
    });
  } finally {
    await run.close();
    await rm(temporary, { recursive: true, force: true });
  }
}

/** The credentials of ostree's images, or an empty file: podman would look for its own. */
async function requireAuthFile(ctx: Context, directory: string): Promise<string> {
  const found = await readAuthFile(ctx);
  if (found !== undefined) return found;
  const empty = join(directory, "auth.json");
  await writeFile(empty, "{}");
  return empty;
}
