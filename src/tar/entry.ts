// One entry of a tar: its header with the extended headers before it applied.
import { decodeUtf8 } from "../ostree/gvariant.ts";
import { damagedTar, numberRecord, type PaxRecords, parsePax, type RawHeader } from "./header.ts";
import { type SparseFile, sparseOf } from "./sparse.ts";

/** One entry with its extended headers applied. */
export interface TarEntry {
  readonly type: "file" | "hardlink" | "symlink" | "directory" | "special";
  readonly path: string;
  readonly linkPath: string;
  /** 0777 for symbolic links, whose mode Linux does not store. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Of the content, the holes of a sparse file included; 0 for all but files. */
  readonly sizeBytes: number;
  readonly mtimeEpoch: number;
  readonly records: PaxRecords;
}

export interface StoredEntry {
  readonly entry: TarEntry;
  /** The size of the content as the tar has it; 0 for all but files. */
  readonly storedBytes: number;
  readonly sparse: SparseFile | undefined;
}

/** What was told about the next entry. */
export interface Extensions {
  readonly seen: Set<RawHeader["type"]>;
  records: PaxRecords;
  name: Buffer | undefined;
  linkName: Buffer | undefined;
  /** Why readers disagree about the entry; said when its name is known. */
  conflict: string | undefined;
}

export function noExtensions(): Extensions {
  return {
    seen: new Set(),
    records: new Map(),
    name: undefined,
    linkName: undefined,
    conflict: undefined,
  };
}

/**
 * Global records that would change what an entry is. Container runtimes skip them, GNU tar applies them, and
 * no builder of images writes them. Others are skipped, such as star's, which describe the archive.
 */
const LOCAL_ONLY =
  /^(path|linkpath|size|uid|gid|GNU\.sparse\..*|(SCHILY|LIBARCHIVE)\.xattr\..*|RHT\.security\.selinux)$/;

export function addExtension(extensions: Extensions, header: RawHeader, content: Buffer): void {
  const { seen } = extensions;
  const isGlobal = header.type === "pax-global";
  // Go and GNU tar forget the first of two, Python applies both.
  if (seen.has(header.type) || (isGlobal && seen.size > 0)) {
    extensions.conflict = "two extended headers";
  }
  if (!isGlobal) seen.add(header.type);
  switch (header.type) {
    case "pax":
      extensions.records = new Map([...extensions.records, ...parsePax(content)]);
      return;
    case "pax-global":
      for (const key of parsePax(content).keys()) {
        if (LOCAL_ONLY.test(key)) throw damagedTar(`the global extended header \`${key}\``);
      }
      return;
    case "gnu-long-name":
      extensions.name = untilNul(content);
      return;
    default:
      extensions.linkName = untilNul(content);
  }
}

function untilNul(bytes: Buffer): Buffer {
  const end = bytes.indexOf(0);
  return end < 0 ? bytes : bytes.subarray(0, end);
}

export function entryOf(header: RawHeader, extensions: Extensions): StoredEntry {
  const { records, linkName } = extensions;
  const path = pathOf(header, extensions);
  requireAgreement(path, extensions);
  // The oldest tars mark a directory only by its name, which may be in an extended header.
  const isNamedDirectory = header.type === "file" && path.endsWith("/");
  const type = isNamedDirectory ? "directory" : (header.type as TarEntry["type"]);
  const storedBytes = numberRecord(records, "size") ?? header.sizeBytes;
  const uid = numberRecord(records, "uid") ?? header.uid;
  const gid = numberRecord(records, "gid") ?? header.gid;
  if (storedBytes < 0) throw damagedTar("an entry of negative size");
  if (type === "hardlink" && storedBytes > 0) throw damagedTar("a hard link with content");
  if (!isId(uid) || !isId(gid)) throw damagedTar("an owner out of range");
  const sparse = sparseOf(records, { path, storedBytes });
  if (sparse !== undefined && type !== "file") {
    throw damagedTar(`the sparse file \`${path}\`, which is a ${type}`);
  }
  const entry: TarEntry = {
    type,
    path,
    linkPath: textOf(records.get("linkpath") ?? linkName ?? header.linkName),
    mode: type === "symlink" ? SYMLINK_MODE : header.mode,
    uid,
    gid,
    sizeBytes: type === "file" ? (sparse?.sizeBytes ?? storedBytes) : 0,
    mtimeEpoch: timeRecord(records) ?? header.mtimeEpoch,
    records,
  };
  return { entry, storedBytes: type === "file" ? storedBytes : 0, sparse };
}

function pathOf({ name }: RawHeader, extensions: Extensions): string {
  const { records, name: longName } = extensions;
  // Beside its own record, a sparse file has a name in the usual places that is not meant for anybody.
  return textOf(records.get(SPARSE_NAME) ?? records.get("path") ?? longName ?? name);
}

const SPARSE_NAME = "GNU.sparse.name";

/** What one reader takes for this and another for that is refused: a container would show something else. */
function requireAgreement(path: string, { conflict, records, name, linkName }: Extensions): void {
  if (conflict !== undefined) throw damagedTar(`${conflict} before \`${path}\``);
  const hasPath = records.has("path") || records.has(SPARSE_NAME);
  const isTwice =
    (name !== undefined && hasPath) || (linkName !== undefined && records.has("linkpath"));
  if (isTwice) {
    throw damagedTar(`both an extended header and a GNU long name before \`${path}\``);
  }
}

const SYMLINK_MODE = 0o777;

function isId(id: number): boolean {
  return id >= 0 && id < 0xffff_ffff;
}

/** Seconds, rounded up: any time after the epoch counts as later than the epoch. */
function timeRecord(records: PaxRecords): number | undefined {
  const text = records.get("mtime")?.toString("latin1");
  if (text === undefined) return undefined;
  return /^-?[0-9]+(\.[0-9]*)?$/.test(text) ? Math.ceil(Number(text)) : undefined;
}

function textOf(bytes: Buffer): string {
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] as number;
    if (byte === 0) throw damagedTar("a path with a zero byte");
    if (byte >= 0x80) return utf8Of(bytes);
  }
  return bytes.toString("latin1");
}

function utf8Of(bytes: Buffer): string {
  try {
    const text = decodeUtf8(bytes);
    if (!text.includes("\0")) return text;
  } catch {
    // Said below, with the bytes as far as they can be read.
  }
  throw damagedTar(`a path that is not UTF-8: \`${bytes.toString("utf8")}\``);
}
