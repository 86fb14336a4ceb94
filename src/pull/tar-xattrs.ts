// Extended attributes in a tar's PAX records: taken out of them and put back in the order ostree needs.
import type { Xattr } from "../ostree/objects.ts";
import { damagedTar, type PaxRecords } from "./tar-header.ts";

const SCHILY = "SCHILY.xattr.";
const LIBARCHIVE = "LIBARCHIVE.xattr.";

/**
 * The attributes of an entry. Those without a value are left out: ostree (2022.7 to 2025.2) hashes them and
 * does not read them back, so that the object would count as damaged.
 */
export function xattrsOf(records: PaxRecords): readonly Xattr[] {
  if (records.size === 0) return [];
  const byName = new Map<string, Uint8Array>();
  for (const [key, value] of records) {
    if (!key.startsWith(LIBARCHIVE)) continue;
    byName.set(decodeName(key.slice(LIBARCHIVE.length)), Buffer.from(value.toString(), "base64"));
  }
  for (const [key, value] of records) {
    if (key.startsWith(SCHILY)) byName.set(key.slice(SCHILY.length), value);
  }
  return [...byName]
    .filter(([, value]) => value.length > 0)
    .map(([name, value]) => requireXattr({ name, value }));
}

function decodeName(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw damagedTar(`the extended attribute \`${text}\`, which cannot be read`);
  }
}

const NAMESPACE = /^(user|security|trusted|system)\.[^\0]+$/;
const NAME_MAX = 255;
const VALUE_MAX = 1 << 16;
/** Sizes the kernel accepts for `security.capability`, by the revision in the value's highest byte. */
const CAPABILITY_SIZES: Readonly<Record<number, number>> = { 2: 20, 3: 24 };

/** What no kernel would store is refused here, by name, instead of deep inside the import. */
function requireXattr(xattr: Xattr): Xattr {
  const { name, value } = xattr;
  if (!NAMESPACE.test(name) || Buffer.byteLength(name) > NAME_MAX || value.length > VALUE_MAX) {
    throw damagedTar(`the impossible extended attribute \`${name.slice(0, 80)}\``);
  }
  if (name === "security.capability" && CAPABILITY_SIZES[value[3] ?? 0] !== value.length) {
    throw damagedTar("file capabilities that cannot be read");
  }
  return xattr;
}

/**
 * In descending order of names: libarchive hands them on in reverse, and ostree before 2024.10 hashes them in
 * the order it gets them.
 */
export function xattrRecords(xattrs: readonly Xattr[]): readonly (readonly [string, Buffer])[] {
  return xattrs
    .map(({ name, value }) => [`${SCHILY}${name}`, Buffer.from(value)] as const)
    .sort(([a], [b]) => Buffer.compare(Buffer.from(b), Buffer.from(a)));
}
