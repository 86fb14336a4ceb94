// blkid: what a device contains.
import { BootcError, doing } from "../../errors.ts";
import type { Context } from "../../system/context.ts";

/** The UUID of the file system on a device, read from the device instead of udev's database. */
export async function readFilesystemUuid(ctx: Context, device: string): Promise<string> {
  const args = ["--probe", "--output", "value", "--match-tag", "UUID", device];
  const uuid = await doing(`reading the UUID of \`${device}\``, () => ctx.read("blkid", args));
  if (uuid.trim() === "") throw new BootcError(`\`${device}\` has no file system with a UUID`);
  return uuid.trim();
}

/** The kind of partition table on a disk (`gpt`, `dos`), read from the disk; undefined without one. */
export async function readPartitionTableType(
  ctx: Context,
  disk: string,
): Promise<string | undefined> {
  const args = ["--probe", "--output", "value", "--match-tag", "PTTYPE", disk];
  // Status 2 means that blkid found nothing.
  const text = await doing(`looking at \`${disk}\``, () =>
    ctx.read("blkid", args, { okStatuses: [0, 2] }),
  );
  return text.trim() || undefined;
}
