// Tars of layers, as builders of images and exporters of ostree commits write them.
import { formatDirtree } from "../ostree/dirtree.ts";
import {
  EMPTY_TREE,
  EMPTY_TREE_BYTES,
  FILE_TYPES,
  formatCommit,
  formatDirmeta,
  type ObjectKind,
  objectPath,
  sha256,
  type Xattr,
} from "../ostree/objects.ts";
import { formatHeader, type NewHeader, paddingOf } from "../tar/header.ts";
import { contentChecksum, formatXattrs } from "./objects.ts";

/** The owner of every file here: only root could write those of somebody else. */
export const OWNER = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };

export type EntryOptions = Partial<Omit<NewHeader, "name" | "sizeBytes" | "records">>;

/** One entry of a tar. */
export function tarEntry(
  name: string,
  content: string | Uint8Array = "",
  more: EntryOptions = {},
): Buffer {
  const bytes = Buffer.from(content);
  const header = formatHeader({
    ...{ type: "file", name, linkName: "", mode: 0o644, ...OWNER, ...more },
    ...{ sizeBytes: bytes.length, records: [] },
  });
  return Buffer.concat([header, bytes, Buffer.alloc(paddingOf(bytes.length))]);
}

export const END_MARKER = Buffer.alloc(1024);

export function tarOfEntries(...entries: readonly Buffer[]): Buffer {
  return Buffer.concat([...entries, END_MARKER]);
}

/** An object as a layer of an encapsulated commit has it. */
export interface PackedObject {
  readonly checksum: string;
  readonly kind: ObjectKind;
  readonly bytes: Uint8Array;
}

export function packObject({ checksum, kind, bytes }: PackedObject): Buffer {
  return tarEntry(`sysroot/ostree/repo/${objectPath(checksum, kind)}`, bytes);
}

function packed(kind: ObjectKind, bytes: Uint8Array): PackedObject {
  return { checksum: sha256(bytes), kind, bytes };
}

/** A file's object behind its attributes, which are a record the first time. */
export function packFile(text: string, xattrs: readonly Xattr[] = []): PackedFile {
  const meta = { ...OWNER, mode: FILE_TYPES.regular | 0o644, xattrs };
  const bytes = Buffer.from(text);
  const checksum = contentChecksum({ ...meta, symlinkTarget: "" }, bytes);
  const record = { checksum, kind: "file-xattrs-link", bytes: formatXattrs(xattrs) } as const;
  return { checksum, entries: [packObject(record), packObject({ checksum, kind: "file", bytes })] };
}

export interface PackedFile {
  readonly checksum: string;
  readonly entries: readonly Buffer[];
}

export interface EncapsulatedCommit {
  readonly commit: string;
  readonly objects: Readonly<Record<"commit" | "dirtree" | "dirmeta", PackedObject>>;
}

/** A commit of one directory that holds `files`, by their names. */
export function encapsulate(files: Readonly<Record<string, PackedFile>> = {}): EncapsulatedCommit {
  const named = Object.entries(files).map(([name, { checksum }]) => ({ name, checksum }));
  const tree = formatDirtree({ files: named, dirs: [] });
  const dirtree = packed("dirtree", named.length === 0 ? EMPTY_TREE_BYTES : tree);
  const dirmeta = packed(
    "dirmeta",
    formatDirmeta({ uid: 0, gid: 0, mode: FILE_TYPES.directory | 0o755, xattrs: [] }),
  );
  const commit = packed(
    "commit",
    formatCommit({
      metadata: [],
      parent: undefined,
      subject: "",
      body: "",
      timestampEpoch: 0,
      rootTree: named.length === 0 ? EMPTY_TREE : dirtree.checksum,
      rootMeta: dirmeta.checksum,
    }),
  );
  return { commit: commit.checksum, objects: { commit, dirtree, dirmeta } };
}
