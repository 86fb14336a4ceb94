// Reads what an ext4 file system demands of its readers.
import { open } from "node:fs/promises";

/** The offset of `s_feature_incompat`: features without which nothing may read the file system. */
const INCOMPATIBLE_OFFSET = 1024 + 0x60;

const METADATA_CSUM_SEED = 0x2000;

/** Whether the ext4 on a device has `metadata_csum_seed`, which mke2fs 1.47 and newer give it by default. */
export async function hasChecksumSeed(device: string): Promise<boolean> {
  const handle = await open(device);
  try {
    const { buffer } = await handle.read(Buffer.alloc(4), { position: INCOMPATIBLE_OFFSET });
    return (buffer.readUInt32LE() & METADATA_CSUM_SEED) !== 0;
  } finally {
    await handle.close();
  }
}
