// blkid: what a device holds.
import { BootcError, doing } from "../../errors.ts";
import type { Context } from "../../system/context.ts";

/** The UUID of the file system on a device, read from the device itself. */
export async function readFilesystemUuid(ctx: Context, device: string): Promise<string> {
  const args = ["--probe", "--output", "value", "--match-tag", "UUID", device];
  const uuid = await doing(`reading the UUID of \`${device}\``, () => ctx.read("blkid", args));
  if (uuid.trim() === "") throw new BootcError(`\`${device}\` has no file system with a UUID`);
  return uuid.trim();
}

/** The kind of partition table on a disk (`gpt`, `dos`), read from the disk itself; undefined without one. */
export async function readPartitionTableType(
  ctx: Context,
  disk: string,
): Promise<string | undefined> {
  const args = ["--probe", "--output", "value", "--match-tag", "PTTYPE", disk];
  // 2: it found nothing at all.
  const text = await doing(`looking at \`${disk}\``, () =>
    ctx.read("blkid", args, { okStatuses: [0, 2] }),
  );
  return text.trim() || undefined;
}
