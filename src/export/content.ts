// The content objects of a repository of any mode, each with its metadata and its bytes.
import {
  closeSync,
  createReadStream,
  lstatSync,
  openSync,
  readFileSync,
  readlinkSync,
  readSync,
} from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInflateRaw, inflateRawSync } from "node:zlib";
import { BootcError } from "../errors.ts";
import { type Libc, openLibc } from "../native/libc.ts";
import { keyfileValue, parseKeyfile } from "../ostree/keyfile.ts";
import {
  FILE_TYPES,
  type FileMetadata,
  objectPath,
  parseArchivedHeader,
  parseDirmeta,
  type Xattr,
} from "../ostree/objects.ts";
import type { LayerEntry } from "../pull/store/sink.ts";

/** A file or symbolic link, without a place in a tree. */
export type ContentObject = Omit<LayerEntry, "path" | "type"> & {
  readonly type: "file" | "symlink";
};

export type ReadContent = (checksum: string) => ContentObject;

const PERMISSIONS = 0o7777;
const FILE_TYPE = 0o170000;

/** Reads objects of `repo`, which are in their files; the content is read when it is asked for. */
export async function openContent(repo: string): Promise<ReadContent> {
  const keyfile = parseKeyfile(await readFile(join(repo, "config"), "utf8"));
  const mode = keyfileValue(keyfile, "core", "mode") ?? "bare";
  const libc = openLibc();
  switch (mode) {
    case "bare":
      return (checksum) => readBare(pathOf(repo, checksum), requireAttributes(libc));
    case "bare-user":
      return (checksum) => readBareUser(pathOf(repo, checksum), requireAttributes(libc));
    case "bare-user-only":
      return (checksum) => readBareUserOnly(pathOf(repo, checksum));
    case "archive":
    case "archive-z2":
      return (checksum) => readArchived(join(repo, objectPath(checksum, "filez")));
    default:
      throw new BootcError(`repositories of the mode \`${mode}\` cannot be exported`, {
        kind: "unsupported",
        hint: "`ostree pull-local` copies the commit into one of the mode bare or archive",
      });
  }
}

function pathOf(repo: string, checksum: string): string {
  return join(repo, objectPath(checksum, "file"));
}

export function requireAttributes(libc: Libc | undefined): Libc {
  if (libc !== undefined) return libc;
  throw new BootcError("extended attributes cannot be read here", {
    kind: "unsupported",
    hint: "a repository of the mode archive can still be exported, but nothing can be signed",
  });
}

function readBare(path: string, libc: Libc): ContentObject {
  const stats = lstatSync(path);
  const xattrs = readAllXattrs(libc, path);
  if (stats.isSymbolicLink()) return symlinkOf({ ...stats, xattrs }, readlinkSync(path));
  return fileOf({ ...stats, xattrs }, stats.size, path);
}

function readAllXattrs(libc: Libc, path: string): readonly Xattr[] {
  return libc.listXattrs(path).flatMap((name) => {
    const value = libc.getXattr(path, name);
    return value === undefined ? [] : [{ name, value }];
  });
}

/** Owner, mode and attributes are in one attribute, and a symbolic link is a file with its target. */
function readBareUser(path: string, libc: Libc): ContentObject {
  const bytes = libc.getXattr(path, "user.ostreemeta");
  if (bytes === undefined) throw damagedObject(path);
  const meta = parseDirmeta(bytes);
  if ((meta.mode & FILE_TYPE) === FILE_TYPES.symlink) {
    // ostree writes the end of the text with it.
    return symlinkOf(meta, readFileSync(path, "utf8").replace(/\0$/, ""));
  }
  return fileOf(meta, lstatSync(path).size, path);
}

function readBareUserOnly(path: string): ContentObject {
  const stats = lstatSync(path);
  const meta = { uid: 0, gid: 0, mode: stats.mode, xattrs: [] };
  if (stats.isSymbolicLink()) return symlinkOf(meta, readlinkSync(path));
  return fileOf(meta, stats.size, path);
}

function fileOf(meta: FileMetadata, sizeBytes: number, path: string): ContentObject {
  return {
    ...ownedBy(meta),
    type: "file",
    mode: meta.mode & PERMISSIONS,
    sizeBytes,
    linkTarget: "",
    content: readPiecesOf(path, sizeBytes),
  };
}

function symlinkOf(meta: FileMetadata, linkTarget: string): ContentObject {
  const nothing = { sizeBytes: 0, content: [] };
  return { ...ownedBy(meta), type: "symlink", mode: 0o777, linkTarget, ...nothing };
}

function ownedBy({ uid, gid, xattrs }: FileMetadata) {
  return { uid, gid, xattrs };
}

const PIECE_BYTES = 1 << 20;

/** Synchronously: most files are small, and a thread for each would cost more than the reading. */
function* readPiecesOf(path: string, sizeBytes: number): Generator<Buffer> {
  if (sizeBytes === 0) return;
  const fd = openSync(path, "r");
  try {
    for (let left = sizeBytes; left > 0; ) {
      const piece = Buffer.allocUnsafe(Math.min(left, PIECE_BYTES));
      const length = readSync(fd, piece);
      if (length === 0) throw damagedObject(path);
      left -= length;
      yield piece.subarray(0, length);
    }
  } finally {
    closeSync(fd);
  }
}

function readArchived(path: string): ContentObject {
  const { header, end } = readArchivedStart(path);
  if ((header.mode & FILE_TYPE) === FILE_TYPES.symlink) {
    return symlinkOf(header, header.symlinkTarget);
  }
  const { sizeBytes } = header;
  const isSmall = sizeBytes <= PIECE_BYTES;
  const content = isSmall ? inflateSmall(path, end) : createInflated(path, end);
  return { ...fileOf(header, sizeBytes, path), content };
}

/** The header before the compressed content, behind its length and four zero bytes; and where it ends. */
function readArchivedStart(path: string) {
  const fd = openSync(path, "r");
  try {
    const prefix = Buffer.alloc(8);
    if (readSync(fd, prefix) < prefix.length) throw damagedObject(path);
    const length = prefix.readUInt32BE(0);
    if (length > HEADER_BYTES_MAX) throw damagedObject(path);
    const bytes = Buffer.alloc(length);
    if (readSync(fd, bytes) < length) throw damagedObject(path);
    return { header: parseArchivedHeader(bytes), end: prefix.length + length };
  } finally {
    closeSync(fd);
  }
}

/** Attributes are all that can make it large. */
const HEADER_BYTES_MAX = 1 << 24;

function* inflateSmall(path: string, start: number): Generator<Buffer> {
  yield inflateRawSync(readFileSync(path).subarray(start));
}

/** Opened when the first piece is asked for. */
async function* createInflated(path: string, start: number): AsyncGenerator<Buffer> {
  const inflate = createInflateRaw({ chunkSize: PIECE_BYTES / 4 });
  yield* createReadStream(path, { start }).compose(inflate);
}

function damagedObject(path: string): BootcError {
  return new BootcError(`the object \`${path}\` is damaged`, {
    kind: "integrity",
    hint: "`ostree fsck` finds all damaged objects",
  });
}
