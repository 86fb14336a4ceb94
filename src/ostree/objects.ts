// The objects of an ostree repository, exact to the byte: commits and directories, and their checksums.
// Formats: libostree's ostree-core.h (OSTREE_COMMIT_GVARIANT_FORMAT and its neighbours).
import { createHash, hash } from "node:crypto";
import { BootcError } from "../errors.ts";
import { formatVariant, parseVariant, type Variant, type VariantValue } from "./gvariant.ts";

export type ObjectKind =
  | "commit"
  | "commitmeta"
  | "dirtree"
  | "dirmeta"
  | "file"
  | "file-xattrs"
  | "file-xattrs-link";

/** The path of a loose object below the repository's directory. */
export function objectPath(checksum: string, kind: ObjectKind | "filez"): string {
  return `objects/${checksum.slice(0, 2)}/${checksum.slice(2)}.${kind}`;
}

export const CHECKSUM = /^[0-9a-f]{64}$/;

/** A directory without entries: one zero byte. */
export const EMPTY_TREE_BYTES: Uint8Array = Uint8Array.of(0);
export const EMPTY_TREE = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d";

export function sha256(...parts: readonly Uint8Array[]): string {
  const [first] = parts;
  if (first !== undefined && parts.length === 1) return hash("sha256", first);
  const all = createHash("sha256");
  for (const part of parts) all.update(part);
  return all.digest("hex");
}

/** An extended attribute; its name does not include the final NUL. */
export interface Xattr {
  readonly name: string;
  readonly value: Uint8Array;
}

export interface FileMetadata {
  readonly uid: number;
  readonly gid: number;
  /** The mode, including the bits for the file type. */
  readonly mode: number;
  readonly xattrs: readonly Xattr[];
}

const COMMIT_TYPE = "(a{sv}aya(say)sstayay)";

export interface Commit {
  /** In the object's own order, not sorted. */
  readonly metadata: readonly (readonly [string, Variant])[];
  readonly parent: string | undefined;
  readonly subject: string;
  readonly body: string;
  readonly timestampEpoch: number;
  readonly rootTree: string;
  readonly rootMeta: string;
}

export function formatCommit(commit: Commit): Buffer {
  return formatVariant(COMMIT_TYPE, [
    commit.metadata.map(([key, value]) => [key, value]),
    commit.parent === undefined ? Buffer.alloc(0) : Buffer.from(commit.parent, "hex"),
    [],
    commit.subject,
    commit.body,
    swap64(BigInt(commit.timestampEpoch)),
    Buffer.from(commit.rootTree, "hex"),
    Buffer.from(commit.rootMeta, "hex"),
  ]);
}

export function parseCommit(bytes: Uint8Array): Commit {
  const [metadata, parent, , subject, body, timestamp, rootTree, rootMeta] = parseVariant(
    COMMIT_TYPE,
    bytes,
  ) as [VariantValue, Buffer, VariantValue, string, string, bigint, Buffer, Buffer];
  return {
    metadata: metadata as unknown as Commit["metadata"],
    parent: parent.length === 0 ? undefined : checksumOf(parent),
    subject,
    body,
    timestampEpoch: Number(swap64(timestamp)),
    rootTree: checksumOf(rootTree),
    rootMeta: checksumOf(rootMeta),
  };
}

/** The text value of a metadata key; undefined when it is missing or of another type. */
export function textMetadata(entries: Commit["metadata"], key: string): string | undefined {
  const variant = entries.find(([name]) => name === key)?.[1];
  return typeof variant?.value === "string" && variant.type === "s" ? variant.value : undefined;
}

/** Detached metadata, or another value of type `a{sv}`; an empty dictionary has no bytes. */
export function formatDictionary(entries: Commit["metadata"]): Buffer {
  return formatVariant("a{sv}", entries);
}

export function parseDictionary(bytes: Uint8Array): Commit["metadata"] {
  return parseVariant("a{sv}", bytes) as unknown as Commit["metadata"];
}

/** ostree stores its integers big-endian inside the little-endian container. */
function swap64(value: bigint): bigint {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt.asUintN(64, value));
  return bytes.readBigUInt64BE();
}

function swap32(value: number): number {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes.readUInt32BE();
}

function checksumOf(bytes: Uint8Array): string {
  if (bytes.length !== 32) {
    throw new BootcError(`a checksum has ${bytes.length} bytes`, { kind: "integrity" });
  }
  return Buffer.from(bytes).toString("hex");
}

/** The bits of a mode that give the type of the file. */
export const FILE_TYPES = { directory: 0o040000, regular: 0o100000, symlink: 0o120000 } as const;

const DIRMETA_TYPE = "(uuua(ayay))";
const XATTRS_TYPE = "a(ayay)";

export function formatDirmeta(meta: FileMetadata): Buffer {
  return formatVariant(DIRMETA_TYPE, [
    swap32(meta.uid),
    swap32(meta.gid),
    swap32(meta.mode),
    xattrsValue(meta.xattrs),
  ]);
}

export function parseDirmeta(bytes: Uint8Array): FileMetadata {
  const [uid, gid, mode, xattrs] = parseVariant(DIRMETA_TYPE, bytes) as [
    number,
    number,
    number,
    VariantValue,
  ];
  return { uid: swap32(uid), gid: swap32(gid), mode: swap32(mode), xattrs: toXattrs(xattrs) };
}

/** `a(ayay)`: the content of a `file-xattrs-link` object, which is empty for no attributes. */
export function parseXattrs(bytes: Uint8Array): readonly Xattr[] {
  return toXattrs(parseVariant(XATTRS_TYPE, bytes));
}

/** Sorted by name, each name with its final NUL. */
export function xattrsValue(xattrs: readonly Xattr[]): VariantValue {
  return xattrs
    .map(({ name, value }) => [Buffer.from(`${name}\0`, "utf8"), value] as const)
    .sort(([a], [b]) => Buffer.compare(a, b));
}

function toXattrs(value: VariantValue): readonly Xattr[] {
  return (value as [Buffer, Buffer][]).map(([name, it]) => {
    if (name.length < 2 || name.indexOf(0) !== name.length - 1) {
      throw new BootcError("an extended attribute has no valid name", { kind: "integrity" });
    }
    return { name: name.toString("utf8", 0, name.length - 1), value: it };
  });
}

export interface FileHeader extends FileMetadata {
  /** The target of a symbolic link; empty for a regular file. */
  readonly symlinkTarget: string;
}

/**
 * The bytes that are hashed before a file's content: the length of the header (big-endian), four zero bytes,
 * and the header. For a symbolic link, nothing follows.
 */
export function formatFileHeader(header: FileHeader): Buffer {
  return withLength(formatVariant("(uuuusa(ayay))", headerFields(header)));
}

function headerFields({ uid, gid, mode, symlinkTarget, xattrs }: FileHeader) {
  return [swap32(uid), swap32(gid), swap32(mode), 0, symlinkTarget, xattrsValue(xattrs)];
}

function withLength(bytes: Uint8Array): Buffer {
  const prefix = Buffer.alloc(8);
  prefix.writeUInt32BE(bytes.length);
  return Buffer.concat([prefix, bytes]);
}

const ARCHIVED_TYPE = "(tuuuusa(ayay))";

/** What a repository of the mode archive has in front of a file's compressed content. */
export function formatArchivedHeader(header: FileHeader & { readonly sizeBytes: number }): Buffer {
  const fields = [swap64(BigInt(header.sizeBytes)), ...headerFields(header)];
  return withLength(formatVariant(ARCHIVED_TYPE, fields));
}

/** The header that a repository of the mode archive keeps in front of a file's compressed content. */
export function parseArchivedHeader(
  bytes: Uint8Array,
): FileHeader & { readonly sizeBytes: number } {
  const [size, uid, gid, mode, , symlinkTarget, xattrs] = parseVariant(ARCHIVED_TYPE, bytes) as [
    bigint,
    number,
    number,
    number,
    number,
    string,
    VariantValue,
  ];
  return {
    ...{ uid: swap32(uid), gid: swap32(gid), mode: swap32(mode) },
    ...{ symlinkTarget, xattrs: toXattrs(xattrs), sizeBytes: Number(swap64(size)) },
  };
}
