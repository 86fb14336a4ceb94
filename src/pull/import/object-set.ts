// Layers of an encapsulated ostree commit: every content object becomes a file named by its checksum.
// Layout: upstream's container export, "v1" (2022-2025) and the one after it.
import { BootcError } from "../../errors.ts";
import { formatDirtree, parseDirtree } from "../../ostree/dirtree.ts";
import {
  CHECKSUM,
  FILE_TYPES,
  formatCommit,
  formatDirmeta,
  parseCommit,
  parseDictionary,
  parseDirmeta,
  parseXattrs,
  sha256,
  type Xattr,
} from "../../ostree/objects.ts";
import type { TarEntry } from "../../tar/entry.ts";
import { damagedTar } from "../../tar/header.ts";
import { normalizePath } from "../../tar/path.ts";
import { collectContent, type TarItem } from "../../tar/reader.ts";
import { type LayerEntry, NO_CONTENT } from "../store/sink.ts";
import { filledContent } from "./holes.ts";

export type MetadataKind = "commit" | "commitmeta" | "dirtree" | "dirmeta";

/** Called with each metadata object, its checksum already compared. */
export type TakeMetadata = (checksum: string, kind: MetadataKind, bytes: Buffer) => void;

type Xattrs = readonly Xattr[];

export interface ObjectSetOptions {
  /** Its file system must have room for the zeros that holes become. */
  readonly repo: string;
  /** Given for a commit layer; in a chunk layer metadata objects are an error. */
  readonly takeMetadata: TakeMetadata | undefined;
}

/** What is known of the layer so far. */
export interface ObjectSet extends ObjectSetOptions {
  /** The checksums of the content objects. */
  readonly names: Set<string>;
  /** Attribute records that objects to come may share, by checksum. */
  readonly records: Map<string, Buffer>;
  recordsBytes: number;
  /** Attributes by the bytes of their records; most records come many times. */
  readonly parsed: Map<string, Xattrs>;
  /** The attributes of the next object, if that is what came last. */
  next: { readonly checksum: string; readonly xattrs: Xattrs } | undefined;
  isFirst: boolean;
}

const OBJECT = new RegExp(
  "^sysroot/ostree/repo/objects/([0-9a-f]{2})/([0-9a-f]{62})" +
    "\\.(file|file-xattrs|file-xattrs-link|commit|commitmeta|dirtree|dirmeta)$",
);
const REPO = "sysroot/ostree/repo/";
/** Attribute records are kept for the objects that follow; a layer has a few hundred different ones. */
const RECORDS_BYTES_MAX = 64 << 20;
const RECORD_BYTES_MAX = 1 << 20;

/** The root that every object set has. */
const ROOT: LayerEntry = {
  ...{ type: "directory", path: "", uid: 0, gid: 0, mode: 0o755, xattrs: [] },
  ...{ sizeBytes: 0, linkTarget: "", content: NO_CONTENT },
};
const ROOT_META = { uid: 0, gid: 0, mode: 0o40755, xattrs: [] };

export function newObjectSet(options: ObjectSetOptions): ObjectSet {
  return {
    ...options,
    names: new Set(),
    records: new Map(),
    recordsBytes: 0,
    parsed: new Map(),
    next: undefined,
    isFirst: true,
  };
}

export async function* objectEntries(
  set: ObjectSet,
  items: AsyncIterable<TarItem>,
): AsyncGenerator<LayerEntry> {
  yield ROOT;
  for await (const item of items) {
    const object = objectOf(item.entry);
    if (object === undefined) continue;
    requireCommitFirst(set, object);
    const { kind, checksum } = object;
    if (kind === "file") yield contentObject(set, checksum, item);
    else if (kind === "file-xattrs") addRecord(set, checksum, await collectRecord(item));
    else if (kind === "file-xattrs-link") await linkRecord(set, checksum, item);
    else await takeMetadata(set, { kind, checksum }, item);
  }
}

interface NamedObject {
  readonly kind: "file" | "file-xattrs" | "file-xattrs-link" | MetadataKind;
  readonly checksum: string;
}

/** Configuration, refs and the like are nothing to us; an object of an unknown kind would be a loss. */
function objectOf(entry: TarEntry): NamedObject | undefined {
  if (entry.type === "directory" || !entry.path.includes(REPO)) return undefined;
  const path = normalizePath(entry.path);
  if (!path.startsWith(REPO)) return undefined;
  requireKnownGeneration(path);
  const [, front = "", back = "", kind] = OBJECT.exec(path) ?? [];
  if (kind !== undefined) return { kind: kind as NamedObject["kind"], checksum: front + back };
  if (path.startsWith(`${REPO}objects/`)) throw damagedTar(`the unknown object \`${path}\``);
  return undefined;
}

function requireKnownGeneration(path: string): void {
  if (!path.startsWith(`${REPO}xattrs/`) && !path.endsWith(".file.xattrs")) return;
  throw new BootcError("the image was encapsulated by a program of early 2022 (format v0)", {
    kind: "unsupported",
    hint: "encapsulate the commit again with a current `rpm-ostree` or `ostree-ext`",
  });
}

function requireCommitFirst(set: ObjectSet, { kind }: NamedObject): void {
  if (set.takeMetadata !== undefined && set.isFirst && kind !== "commit") {
    throw damagedTar("no commit as its first object");
  }
  set.isFirst = false;
}

function contentObject(set: ObjectSet, checksum: string, item: TarItem): LayerEntry {
  const { entry } = item;
  if (set.names.has(checksum)) throw damagedTar(`the object ${checksum} twice`);
  set.names.add(checksum);
  const { type, uid, gid, mode, sizeBytes } = entry;
  if (type !== "file" && type !== "symlink") {
    throw damagedTar(`the object ${checksum} as something other than a file`);
  }
  if (set.next?.checksum !== checksum) {
    throw damagedTar(`the object ${checksum} without its attribute record`);
  }
  const { xattrs } = set.next;
  set.next = undefined;
  return {
    ...{ type, path: checksum, uid, gid, mode, xattrs, sizeBytes },
    linkTarget: type === "symlink" ? entry.linkPath : "",
    content: filledContent(item, set.repo),
  };
}

/** A record comes as a file the first time, and as a hard link to it where it comes again. */
async function linkRecord(set: ObjectSet, checksum: string, item: TarItem): Promise<void> {
  const { type, linkPath } = item.entry;
  const record = type === "hardlink" ? knownRecord(set, linkPath) : await collectRecord(item);
  if (record === undefined) throw damagedTar(`no attribute record for the object ${checksum}`);
  set.next = { checksum, xattrs: parseRecord(set.parsed, record) };
}

/** Records that only one file has, such as those with signatures, are not kept. */
const PARSED_BYTES = 512;
const PARSED_COUNT = 4096;

function parseRecord(parsed: Map<string, Xattrs>, record: Buffer): Xattrs {
  if (record.length > PARSED_BYTES) return parseXattrs(record);
  const key = record.toString("latin1");
  const known = parsed.get(key);
  if (known !== undefined) return known;
  const xattrs = parseXattrs(record);
  if (parsed.size >= PARSED_COUNT) parsed.clear();
  parsed.set(key, xattrs);
  return xattrs;
}

function knownRecord({ records }: ObjectSet, linkPath: string): Buffer | undefined {
  const name = /([0-9a-f]{2})\/([0-9a-f]{62})\.file-xattrs$/.exec(normalizePath(linkPath));
  return records.get(`${name?.[1]}${name?.[2]}`);
}

async function collectRecord(item: TarItem): Promise<Buffer> {
  requireFile(item.entry);
  if (item.entry.sizeBytes > RECORD_BYTES_MAX) throw damagedTar("a too large attribute record");
  return await collectContent(item);
}

function requireFile(entry: TarEntry): void {
  if (entry.type !== "file") throw damagedTar(`\`${entry.path}\`, which is not a file`);
}

function addRecord(set: ObjectSet, checksum: string, record: Buffer): void {
  if (sha256(record) !== checksum) throw damagedTar(`a damaged attribute record ${checksum}`);
  set.recordsBytes += record.length;
  if (set.recordsBytes > RECORDS_BYTES_MAX) throw damagedTar("too many attribute records");
  set.records.set(checksum, record);
}

async function takeMetadata(
  set: ObjectSet,
  { kind, checksum }: { readonly kind: MetadataKind; readonly checksum: string },
  item: TarItem,
): Promise<void> {
  if (set.takeMetadata === undefined) throw damagedTar(`a ${kind} object in a layer of content`);
  requireFile(item.entry);
  const bytes = await collectContent(item);
  if (kind !== "commitmeta" && sha256(bytes) !== checksum) {
    throw damagedTar(`a ${kind} object that is not what its name ${checksum} says`);
  }
  requireForm(kind, bytes);
  set.takeMetadata(checksum, kind, bytes);
}

/** ostree trusts the objects that we hand over, and would not look. */
function requireForm(kind: MetadataKind, bytes: Buffer): void {
  switch (kind) {
    case "commit":
      parseCommit(bytes);
      return;
    case "commitmeta":
      parseDictionary(bytes);
      return;
    case "dirtree":
      parseDirtree(bytes);
      return;
    case "dirmeta":
      requireDirmeta(bytes);
  }
}

const FILE_TYPE = 0o170000;

function requireDirmeta(bytes: Buffer): void {
  const { mode } = parseDirmeta(bytes);
  if ((mode & FILE_TYPE) === FILE_TYPES.directory) return;
  throw damagedTar("a dirmeta object that is not of a directory");
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
