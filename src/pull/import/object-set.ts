// Layers of an encapsulated ostree commit: every content object becomes a file named by its checksum.
// Layout: upstream's container export, "v1" (2022-2025) and the one after it.
import { BootcError } from "../../errors.ts";
import { formatDirtree } from "../../ostree/dirtree.ts";
import {
  CHECKSUM,
  formatCommit,
  formatDirmeta,
  parseXattrs,
  sha256,
} from "../../ostree/objects.ts";
import type { TarEntry } from "../../tar/entry.ts";
import { damagedTar, formatHeader } from "../../tar/header.ts";
import type { TarHandler, Verdict } from "../../tar/reader.ts";
import { xattrRecords } from "../../tar/xattrs.ts";
import { normalizePath } from "./placement.ts";

export type MetadataKind = "commit" | "commitmeta" | "dirtree" | "dirmeta";

export interface ObjectSet {
  readonly handle: TarHandler;
  /** The first entry of the new tar: the root every object set has. */
  readonly start: Buffer;
  /** The commit of the object set, known from its names alone; call it after the last entry. */
  commit(): string;
}

/** Called with each metadata object, its checksum already compared. */
export type TakeMetadata = (checksum: string, kind: MetadataKind, bytes: Buffer) => void;

const OBJECT = new RegExp(
  "^sysroot/ostree/repo/objects/([0-9a-f]{2})/([0-9a-f]{62})" +
    "\\.(file|file-xattrs|file-xattrs-link|commit|commitmeta|dirtree|dirmeta)$",
);
const REPO = "sysroot/ostree/repo/";
/** Attribute records are kept for the objects that follow; a layer has a few hundred different ones. */
const RECORDS_BYTES_MAX = 64 << 20;
const RECORD_BYTES_MAX = 1 << 20;

const ROOT_META = { uid: 0, gid: 0, mode: 0o40755, xattrs: [] };

interface Records {
  readonly bySha256: Map<string, Buffer>;
  bytes: number;
  /** The record that came last: that of the object to come. */
  next: { readonly checksum: string; readonly record: Buffer } | undefined;
}

/** `takeMetadata` is given for a commit layer; in a chunk layer metadata objects are an error. */
export function createObjectSet(takeMetadata: TakeMetadata | undefined): ObjectSet {
  const names = new Set<string>();
  const records: Records = { bySha256: new Map(), bytes: 0, next: undefined };
  let isFirst = true;

  function handle(entry: TarEntry): Verdict {
    if (entry.type === "directory" || !entry.path.includes(REPO)) return DROP;
    const path = normalizePath(entry.path);
    if (!path.startsWith(REPO)) return DROP;
    requireKnownGeneration(path);
    const [, front = "", back = "", kind = ""] = OBJECT.exec(path) ?? [];
    if (kind === "") return requireNoObject(path);
    const checksum = front + back;
    if (takeMetadata !== undefined && isFirst && kind !== "commit") {
      throw damagedTar("no commit as its first object");
    }
    isFirst = false;
    switch (kind) {
      case "file":
        return contentObject(entry, checksum);
      case "file-xattrs":
        return collectRecord(entry, (record) => addRecord(records, checksum, record));
      case "file-xattrs-link":
        return linkRecord(entry, checksum);
      default:
        return metadataObject(entry, checksum, kind as MetadataKind);
    }
  }

  function contentObject(entry: TarEntry, checksum: string): Verdict {
    if (names.has(checksum)) throw damagedTar(`the object ${checksum} twice`);
    names.add(checksum);
    if (entry.type !== "file" && entry.type !== "symlink") {
      throw damagedTar(`the object ${checksum} as something that is no file`);
    }
    if (records.next?.checksum !== checksum) {
      throw damagedTar(`the object ${checksum} without its attribute record`);
    }
    const { record } = records.next;
    records.next = undefined;
    const header = formatHeader({
      ...entry,
      type: entry.type,
      name: checksum,
      linkName: entry.type === "symlink" ? entry.linkPath : "",
      records: xattrRecords(parseXattrs(record)),
    });
    return { kind: "replace", header };
  }

  function linkRecord(entry: TarEntry, checksum: string): Verdict {
    if (entry.type !== "hardlink") {
      return collectRecord(entry, (record) => {
        records.next = { checksum, record };
      });
    }
    const name = /([0-9a-f]{2})\/([0-9a-f]{62})\.file-xattrs$/.exec(normalizePath(entry.linkPath));
    const record = records.bySha256.get(`${name?.[1]}${name?.[2]}`);
    if (record === undefined) throw damagedTar(`no attribute record for the object ${checksum}`);
    records.next = { checksum, record };
    return DROP;
  }

  function metadataObject(entry: TarEntry, checksum: string, kind: MetadataKind): Verdict {
    if (takeMetadata === undefined) throw damagedTar(`a ${kind} object in a layer of content`);
    requireFile(entry);
    return collect((bytes) => {
      if (kind !== "commitmeta" && sha256(bytes) !== checksum) {
        throw damagedTar(`a ${kind} object that is not what its name ${checksum} says`);
      }
      takeMetadata(checksum, kind, bytes);
    });
  }

  const root = { name: "./", linkName: "", mode: 0o755, uid: 0, gid: 0, sizeBytes: 0, records: [] };
  return {
    handle,
    start: formatHeader({ ...root, type: "directory" }),
    commit: () => objectSetCommit(names),
  };
}

const DROP: Verdict = { kind: "drop" };

function requireKnownGeneration(path: string): void {
  if (!path.startsWith(`${REPO}xattrs/`) && !path.endsWith(".file.xattrs")) return;
  throw new BootcError("the image was encapsulated by a program of early 2022 (format v0)", {
    kind: "unsupported",
    hint: "encapsulate the commit again with a current `rpm-ostree` or `ostree-ext`",
  });
}

/** Configuration, refs and the like are nothing to us; an object of an unknown kind would be a loss. */
function requireNoObject(path: string): Verdict {
  if (path.startsWith(`${REPO}objects/`)) throw damagedTar(`the unknown object \`${path}\``);
  return DROP;
}

function requireFile(entry: TarEntry): void {
  if (entry.type !== "file") throw damagedTar(`\`${entry.path}\`, which is no file`);
}

function collect(take: (bytes: Buffer) => void): Verdict {
  return {
    kind: "collect",
    whenComplete: (content) => {
      take(content);
      return [];
    },
  };
}

function collectRecord(entry: TarEntry, take: (record: Buffer) => void): Verdict {
  requireFile(entry);
  if (entry.sizeBytes > RECORD_BYTES_MAX) throw damagedTar("a too large attribute record");
  return collect(take);
}

function addRecord(records: Records, checksum: string, record: Buffer): void {
  if (sha256(record) !== checksum) throw damagedTar(`a damaged attribute record ${checksum}`);
  records.bytes += record.length;
  if (records.bytes > RECORDS_BYTES_MAX) throw damagedTar("too many attribute records");
  records.bySha256.set(checksum, record);
}

/** The commit whose flat root has one file per object, named by the checksum it points to. */
export function objectSetCommit(checksums: Iterable<string>): string {
  const files = [...checksums].map((checksum) => ({ name: checksum, checksum }));
  if (!files.every((it) => CHECKSUM.test(it.name))) throw new Error("unreachable: no checksum");
  return sha256(
    formatCommit({
      metadata: [],
      parent: undefined,
      subject: "",
      body: "",
      timestampEpoch: 0,
      rootTree: sha256(formatDirtree({ files, dirs: [] })),
      rootMeta: sha256(formatDirmeta(ROOT_META)),
    }),
  );
}
