// The names of the files in an initramfs: cpio archives in a row, the last of them compressed.
import { canUnpack, unpack } from "./unpack.ts";

export type InitramfsNames =
  | { readonly names: ReadonlySet<string> }
  /** Why nobody can say. */
  | { readonly unreadable: string };

const HEADER = 110;

const COMPRESSIONS: readonly (readonly [magic: string, name: string])[] = [
  ["1f8b", "gzip"],
  ["28b52ffd", "zstd"],
  ["fd377a585a00", "xz"],
  ["02214c18", "lz4"],
  ["894c5a4f", "lzo"],
  ["425a68", "bzip2"],
  ["5d0000", "lzma"],
];

export function readInitramfsNames(image: Buffer): InitramfsNames {
  const names = new Set<string>();
  let at = 0;
  while (at < image.length) {
    if (image[at] === 0) at += 1;
    else if (isCpio(image, at)) at = addNames(names, image, at);
    else return addCompressed(names, image.subarray(at));
  }
  return { names };
}

function addCompressed(names: ReadonlySet<string>, rest: Buffer): InitramfsNames {
  const magic = rest.subarray(0, 8).toString("hex");
  const name = COMPRESSIONS.find(([it]) => magic.startsWith(it))?.[1];
  if (name === undefined) return { unreadable: "it is not an initramfs" };
  if (!canUnpack(name)) return { unreadable: `it is compressed with ${name}` };
  const unpacked = unpack(rest, name);
  if (unpacked === undefined) return { unreadable: `its ${name} data is damaged` };
  const inner = readInitramfsNames(unpacked);
  return "names" in inner ? { names: new Set([...names, ...inner.names]) } : inner;
}

/** Format: cpio's newc, with or without checksums. */
function isCpio(image: Buffer, at: number): boolean {
  return /^07070[12]$/.test(image.toString("latin1", at, at + 6));
}

/** The offset behind the archive at `at`. */
function addNames(names: Set<string>, image: Buffer, at: number): number {
  let offset = at;
  while (isCpio(image, offset)) {
    const field = (index: number) =>
      Number.parseInt(
        image.toString("latin1", offset + 6 + index * 8, offset + 14 + index * 8),
        16,
      );
    const [sizeBytes, nameBytes] = [field(6), field(11)];
    if (!Number.isSafeInteger(sizeBytes) || !Number.isSafeInteger(nameBytes)) return image.length;
    const name = image.toString("utf8", offset + HEADER, offset + HEADER + nameBytes - 1);
    offset = align(align(offset + HEADER + nameBytes) + sizeBytes);
    if (name === "TRAILER!!!") break;
    names.add(name.replace(/^\.?\//, ""));
  }
  return offset;
}

function align(offset: number): number {
  return (offset + 3) & ~3;
}
