// The boot loader's part: what GRUB's code, which does not replay journals, would start from a disk.
import { readEntryTexts, type TreeReader } from "../system-facts.ts";

export interface Started {
  readonly options: string;
  readonly kernel: Buffer;
  readonly initramfs: Buffer;
}

/** The default entry, with the content of what it names. `reader` reads the tree that is `/boot` below `prefix`. */
export async function readDefault(reader: TreeReader, prefix: string): Promise<Started> {
  const [entry] = await readEntryTexts(reader, prefix);
  if (entry === undefined) throw new Error("it finds no entry");
  const { options, kernel, initramfs } = entry;
  return {
    options,
    kernel: await reader.read(kernel),
    initramfs: await reader.read(initramfs),
  };
}
