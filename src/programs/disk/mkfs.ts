// mkfs: makes the file systems of a new disk, with given UUIDs.
import { doing } from "../../errors.ts";
import type { FilesystemType } from "../../install/plan/choices.ts";
import type { Context } from "../../system/context.ts";

export interface NewFilesystem {
  readonly node: string;
  readonly label: string;
  readonly uuid: string;
  /** Whether a driver of the firmware reads it; those do not know the newest features of ext4. */
  readonly isForFirmware?: boolean;
}

export async function makeFilesystem(
  ctx: Context,
  type: FilesystemType,
  { node, label, uuid, isForFirmware = false }: NewFilesystem,
): Promise<void> {
  // On ext4, fs-verity is enabled here; the other file systems have it always, or can get it later.
  const features = isForFirmware ? "^metadata_csum_seed" : "verity";
  const args = {
    ext4: ["-q", "-F", "-O", features, "-L", label, "-U", uuid, node],
    xfs: ["-q", "-f", "-L", label, "-m", `uuid=${uuid}`, node],
    btrfs: ["-q", "-f", "-L", label, "-U", uuid, node],
  }[type];
  await doing(`making the file system \`${label}\``, () => ctx.run(filesystemMaker(type), args));
}

/** The program that makes a file system of this type. */
export function filesystemMaker(type: FilesystemType): string {
  return `mkfs.${type}`;
}

/** The program that makes an ESP. */
export const ESP_MAKER = "mkfs.fat";

/** Makes an EFI system partition, from which firmware reads boot loaders. */
export async function makeEsp(ctx: Context, node: string): Promise<void> {
  await doing("making the EFI system partition", () =>
    ctx.run(ESP_MAKER, ["-n", "EFI-SYSTEM", node], { isQuiet: true }),
  );
}
