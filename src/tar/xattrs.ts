// Extended attributes in a tar's PAX records: taken out of them and put back in the order ostree needs.
import type { Xattr } from "../ostree/objects.ts";
import { damagedTar, type PaxRecords } from "./header.ts";
import { storedAccessList } from "./posix-acl.ts";

const SCHILY = "SCHILY.xattr.";
/** The name percent-encoded, the value in base64. */
const LIBARCHIVE = "LIBARCHIVE.xattr.";
/** By `tar --selinux`: the label, which has no other record then. */
const RHT_LABEL = "RHT.security.selinux";
const LABEL = "security.selinux";

/** An entry, for what concerns its attributes. */
export interface AttributeSource {
  readonly records: PaxRecords;
  /** Permission bits, which an access list has as well. */
  readonly mode: number;
}

/**
 * The attributes of an entry. Those without a value are left out: ostree (2022.7 to 2025.2) hashes them and
 * does not read them back, so that the object would count as damaged.
 */
export function xattrsOf({ records, mode }: AttributeSource): readonly Xattr[] {
  if (records.size === 0) return [];
  const byName = new Map<string, Uint8Array>();
  const encodedNames = new Set<string>();
  for (const [key, value] of records) {
    if (!key.startsWith(LIBARCHIVE)) continue;
    const encoded = key.slice(LIBARCHIVE.length);
    const name = decodeName(encoded);
    byName.set(name, Buffer.from(value.toString(), "base64"));
    if (name !== encoded) encodedNames.add(encoded);
  }
  const label = records.get(RHT_LABEL);
  if (label !== undefined) byName.set(LABEL, label);
  for (const [key, value] of records) {
    const name = key.startsWith(SCHILY) ? key.slice(SCHILY.length) : "";
    // libarchive writes each attribute twice, and encodes the name in the other record as well.
    if (name !== "" && !encodedNames.has(name)) byName.set(name, value);
  }
  return [...byName]
    .filter(([, value]) => value.length > 0)
    .map(([name, value]) => asStored(requireXattr({ name, value }), mode))
    .filter((it) => it !== undefined);
}

function decodeName(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw damagedTar(`the extended attribute \`${text}\`, which cannot be read`);
  }
}

const NAMESPACE = /^(user|security|trusted|system)\.[^\0]+$/;
/** Stands where a name in the tar was not UTF-8. */
const NOT_UTF8 = "\ufffd";
const NAME_MAX = 255;
const VALUE_MAX = 1 << 16;
/** What no kernel would store is refused here, by name, instead of deep inside the import. */
function requireXattr(xattr: Xattr): Xattr {
  const { name, value } = xattr;
  const isNamed = NAMESPACE.test(name) && !name.includes(NOT_UTF8);
  if (!isNamed || Buffer.byteLength(name) > NAME_MAX || value.length > VALUE_MAX) {
    throw damagedTar(`the impossible extended attribute \`${name.slice(0, 80)}\``);
  }
  if (name === CAPABILITY && !isCapability(value)) {
    throw damagedTar("file capabilities that cannot be read");
  }
  return xattr;
}

const CAPABILITY = "security.capability";
/** Revision and flags in the first word of `security.capability`; <linux/capability.h>. */
const REVISION_2 = 0x02000000;
const REVISION_3 = 0x03000000;
const FLAG_EFFECTIVE = 1;
const BYTES_2 = 20;
const BYTES_3 = 24;
const NO_ROOT = 0xffff_ffff;

function isCapability(value: Uint8Array): boolean {
  if (value.length !== BYTES_2 && value.length !== BYTES_3) return false;
  const revision = (wordOf(value, 0) & ~FLAG_EFFECTIVE) >>> 0;
  if (value.length === BYTES_2) return revision === REVISION_2;
  return revision === REVISION_3 && wordOf(value, BYTES_2) !== NO_ROOT;
}

/** As the kernel gives it back; otherwise ostree could not read again what it hashed. */
function asStored({ name, value }: Xattr, mode: number): Xattr | undefined {
  if (name !== ACCESS_LIST) return storedCapability({ name, value });
  const stored = storedAccessList(value, mode);
  return stored && { name, value: stored };
}

const ACCESS_LIST = "system.posix_acl_access";

/** Version 3 becomes version 2 where the root it names is the host's own. */
function storedCapability({ name, value }: Xattr): Xattr {
  const isOfHost = name === CAPABILITY && value.length === BYTES_3 && wordOf(value, BYTES_2) === 0;
  if (!isOfHost) return { name, value };
  const stored = Buffer.from(value.subarray(0, BYTES_2));
  stored.writeUInt32LE(REVISION_2 | (wordOf(value, 0) & FLAG_EFFECTIVE), 0);
  return { name, value: stored };
}

function wordOf(bytes: Uint8Array, at: number): number {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).readUInt32LE(at);
}

/**
 * In descending order of names: libarchive hands them on in reverse, and ostree before 2024.10 hashes them in
 * the order it gets them.
 */
export function xattrRecords(xattrs: readonly Xattr[]): readonly (readonly [string, Buffer])[] {
  return [...xattrs]
    .sort((a, b) => Buffer.compare(Buffer.from(b.name), Buffer.from(a.name)))
    .map(xattrRecord);
}

/** The key of a record ends at its first `=`. */
function xattrRecord({ name, value }: Xattr): readonly [string, Buffer] {
  if (!name.includes("=")) return [`${SCHILY}${name}`, Buffer.from(value)];
  const encoded = Buffer.from(value).toString("base64").replace(/=+$/, "");
  return [`${LIBARCHIVE}${encodeURIComponent(name)}`, Buffer.from(encoded)];
}
