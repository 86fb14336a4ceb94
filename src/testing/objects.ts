// Parts of ostree's objects that only tests write: the checksums of content objects, and attributes.
import { formatVariant } from "../ostree/gvariant.ts";
import {
  type FileHeader,
  formatFileHeader,
  sha256,
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
