// Content objects with IMA signatures: the same files as before, with one more attribute each.

import { createHash } from "node:crypto";
import { closeSync, createReadStream, createWriteStream, openSync, writeSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createDeflateRaw } from "node:zlib";
import { BootcError } from "../errors.ts";
import { type ContentObject, openContent, requireAttributes } from "../export/content.ts";
import { type Libc, openLibc } from "../native/libc.ts";
import {
  FILE_TYPES,
  formatArchivedHeader,
  formatFileHeader,
  type Xattr,
} from "../ostree/objects.ts";
import { type ImaKey, SIGNATURE_XATTR, signDirectory, signFile } from "../programs/evmctl.ts";
import type { Scratch } from "../repository/scratch.ts";
import type { Context } from "../system/context.ts";

/** The attribute by which the kernel finds the signature of a file. */
const IMA_XATTR = "security.ima";

export interface ImaSigning extends ImaKey {
  /** Whether a signature that is there already is replaced. */
  readonly overwrites: boolean;
}

export interface ObjectSigning {
  readonly repo: string;
  /** Of the mode archive, which needs no privileges. */
  readonly scratch: Scratch;
  readonly signing: ImaSigning;
}

/** evmctl gets at most this many files or bytes at a time, since each file is copied. */
const BATCH_FILES = 1000;
const BATCH_BYTES = 256 << 20;

interface Batch {
  readonly dir: string;
  readonly files: { readonly checksum: string; readonly object: ContentObject }[];
  bytes: number;
}

/** Writes signed objects for those that get a signature; their checksums, by those of the old objects. */
export async function signObjects(
  ctx: Context,
  checksums: Iterable<string>,
  how: ObjectSigning,
): Promise<ReadonlyMap<string, string>> {
  // Signatures are made for nothing where they cannot be read.
  const libc = requireAttributes(openLibc());
  const read = await openContent(how.repo);
  const signed = new Map<string, string>();
  let batch = await openBatch(how.scratch);
  for (const checksum of checksums) {
    ctx.signal.throwIfAborted();
    const object = read(checksum);
    if (!needsSignature(object, how.signing)) continue;
    await writeCopy(join(batch.dir, checksum), object);
    batch.files.push({ checksum, object });
    batch.bytes += object.sizeBytes;
    if (batch.files.length < BATCH_FILES && batch.bytes < BATCH_BYTES) continue;
    await signBatch(ctx, batch, { how, libc, signed });
    batch = await openBatch(how.scratch);
  }
  await signBatch(ctx, batch, { how, libc, signed });
  return signed;
}

function needsSignature({ type, xattrs }: ContentObject, { overwrites }: ImaSigning): boolean {
  if (type !== "file") return false;
  return overwrites || !xattrs.some(({ name }) => name === IMA_XATTR);
}

async function openBatch({ top }: Scratch): Promise<Batch> {
  const dir = join(top, "to-sign");
  await mkdir(dir);
  return { dir, files: [], bytes: 0 };
}

async function writeCopy(path: string, { content }: ContentObject): Promise<void> {
  const fd = openSync(path, "wx", 0o600);
  try {
    for await (const piece of content) {
      for (let done = 0; done < piece.length; ) done += writeSync(fd, piece, done);
    }
  } finally {
    closeSync(fd);
  }
}

interface BatchSigning {
  readonly how: ObjectSigning;
  readonly libc: Libc;
  /** Gets the new checksums. */
  readonly signed: Map<string, string>;
}

async function signBatch(
  ctx: Context,
  { dir, files }: Batch,
  { how, libc, signed }: BatchSigning,
): Promise<void> {
  if (files.length > 0) await signDirectory(ctx, dir, how.signing);
  for (const { checksum, object } of files) {
    ctx.signal.throwIfAborted();
    const path = join(dir, checksum);
    const value = await readSignature(ctx, path, { libc, key: how.signing });
    const others = object.xattrs.filter(({ name }) => name !== IMA_XATTR);
    const xattrs = [...others, { name: IMA_XATTR, value }];
    signed.set(checksum, await writeObject(how.scratch, path, { ...object, xattrs }));
  }
  await rm(dir, { recursive: true });
}

/** evmctl succeeds for a directory whatever happens to its files, so a single file tells what is wrong. */
async function readSignature(
  ctx: Context,
  path: string,
  { libc, key }: { readonly libc: Libc; readonly key: ImaKey },
): Promise<Buffer> {
  const value = libc.getXattr(path, SIGNATURE_XATTR);
  if (value !== undefined) return value;
  await signFile(ctx, path, key);
  const later = libc.getXattr(path, SIGNATURE_XATTR);
  if (later === undefined) throw new BootcError("evmctl made no signature");
  return later;
}

type SignedObject = Omit<ContentObject, "xattrs"> & { readonly xattrs: readonly Xattr[] };

/** Writes the object as a repository of the mode archive has it; its checksum. */
async function writeObject(scratch: Scratch, path: string, object: SignedObject): Promise<string> {
  const { uid, gid, xattrs, sizeBytes } = object;
  const mode = FILE_TYPES.regular | object.mode;
  const header = { uid, gid, mode, xattrs, symlinkTarget: "" };
  const hash = createHash("sha256").update(formatFileHeader(header));
  const target = join(scratch.top, "object");
  const archived = archivedPieces(path, formatArchivedHeader({ ...header, sizeBytes }), (it) =>
    hash.update(it),
  );
  await pipeline(Readable.from(archived), createWriteStream(target, { flags: "wx" }));
  const checksum = hash.digest("hex");
  await rename(target, scratch.pathOf(checksum, "filez"));
  return checksum;
}

/** Lightly compressed: ostree compresses it anew, or not at all, when it takes the object. */
async function* archivedPieces(
  path: string,
  header: Buffer,
  notice: (piece: Buffer) => void,
): AsyncGenerator<Buffer> {
  yield header;
  const noticed = async function* (source: AsyncIterable<Buffer>) {
    for await (const piece of source) {
      notice(piece);
      yield piece;
    }
  };
  const content = createReadStream(path, { highWaterMark: 1 << 18 });
  yield* content.compose(noticed).compose(createDeflateRaw({ level: 1 }));
}
