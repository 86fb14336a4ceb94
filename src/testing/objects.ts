// Parts of ostree's objects that only tests write or read: content objects, attributes, directory metadata.
import { formatVariant, parseVariant, type VariantValue } from "../ostree/gvariant.ts";
import {
  type FileHeader,
  type FileMetadata,
  formatFileHeader,
  sha256,
  swap32,
  type Xattr,
  xattrsValue,
} from "../ostree/objects.ts";

/** The checksum of a content object. */
export function contentChecksum(header: FileHeader, content: Uint8Array): string {
  return sha256(formatFileHeader(header), content);
}

/** `a(ayay)`, sorted by name: the content of a `file-xattrs-link` object, empty for no attributes. */
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
