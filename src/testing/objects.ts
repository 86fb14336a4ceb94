// What only tests write and read of ostree's objects: content objects, attributes on their own, directories back.
import { formatVariant, parseVariant, type VariantValue } from "../ostree/gvariant.ts";
import { type FileMetadata, sha256, swap32, type Xattr, xattrsValue } from "../ostree/objects.ts";

export interface FileHeader extends FileMetadata {
  /** Empty for a regular file. */
  readonly symlinkTarget: string;
}

/**
 * The checksum of a content object: of the length of the header, big-endian, four zero bytes, the header, and
 * the file's content; a symbolic link has none.
 */
export function contentChecksum(header: FileHeader, content: Uint8Array): string {
  const bytes = formatVariant("(uuuusa(ayay))", [
    swap32(header.uid),
    swap32(header.gid),
    swap32(header.mode),
    0,
    header.symlinkTarget,
    xattrsValue(header.xattrs),
  ]);
  const prefix = Buffer.alloc(8);
  prefix.writeUInt32BE(bytes.length);
  return sha256(prefix, bytes, content);
}

/** `a(ayay)`, sorted by name: the content of a `file-xattrs-link` object. None are no bytes. */
export function formatXattrs(xattrs: readonly Xattr[]): Buffer {
  return formatVariant("a(ayay)", xattrsValue(xattrs));
}

export function parseDirmeta(bytes: Uint8Array): FileMetadata {
  const [uid, gid, mode, xattrs] = parseVariant("(uuua(ayay))", bytes) as [
    number,
    number,
    number,
    VariantValue,
  ];
  return {
    uid: swap32(uid),
    gid: swap32(gid),
    mode: swap32(mode),
    xattrs: (xattrs as [Buffer, Buffer][]).map(([name, value]) => ({
      name: name.toString("utf8", 0, name.length - 1),
      value,
    })),
  };
}
