// Objects of a bare repository and their labels: read as they are, and written anew with another label.
import { closeSync, lstatSync, openSync, readFileSync, readlinkSync, readSync } from "node:fs";
import { join } from "node:path";
import { BootcError } from "../../errors.ts";
import { type Libc, openLibc } from "../../native/libc.ts";
import {
  type FileMetadata,
  formatDirmeta,
  objectPath,
  parseDirmeta,
  sha256,
  type Xattr,
} from "../../ostree/objects.ts";
import type { Scratch } from "../../repository/scratch.ts";
import type { ObjectWriter } from "../store/write-objects.ts";
import { LABEL, withLabel } from "../store/xattrs.ts";

/** What decides about a label besides the path, and the label that is there. */
export interface Labelled {
  readonly mode: number;
  readonly label: Uint8Array | undefined;
}

export interface LabelledObjects {
  file(checksum: string): Labelled;
  directory(meta: string): Labelled;
  /** The object with the label in place of its own; the new checksum. */
  relabelFile(checksum: string, label: Buffer): Promise<string>;
  relabelDirectory(meta: string, label: Buffer): string;
}

export interface ObjectsPlace {
  readonly repo: string;
  /** Takes what is written anew. */
  readonly scratch: Scratch;
  readonly objects: ObjectWriter;
}

/** Each object is written once for each label. */
export function openObjects({ repo, scratch, objects }: ObjectsPlace): LabelledObjects {
  const libc = requireLibc();
  const pathOf = (checksum: string) => join(repo, objectPath(checksum, "file"));
  const readMeta = (meta: string) =>
    parseDirmeta(readFileSync(join(repo, objectPath(meta, "dirmeta"))));
  return {
    // Hardly any file is in a tree twice, and remembering all takes memory.
    file(checksum) {
      const path = pathOf(checksum);
      return { mode: lstatSync(path).mode, label: libc.getXattr(path, LABEL) };
    },
    directory: once((meta) => {
      const { mode, xattrs } = readMeta(meta);
      return { mode, label: xattrs.find((it) => it.name === LABEL)?.value };
    }),
    relabelFile: oncePerLabel(
      async (checksum, label) => await writeFile(pathOf(checksum), { libc, objects, label }),
    ),
    relabelDirectory: oncePerLabel((meta, label) => {
      const before = readMeta(meta);
      const after: FileMetadata = { ...before, xattrs: withLabel(before.xattrs, label) };
      const bytes = formatDirmeta(after);
      const checksum = sha256(bytes);
      scratch.add(checksum, "dirmeta", bytes);
      return checksum;
    }),
  };
}

function requireLibc(): Libc {
  const libc = openLibc();
  if (libc === undefined) throw new Error("unreachable: labels without a call to set them");
  return libc;
}

function once<T>(read: (checksum: string) => T): (checksum: string) => T {
  const known = new Map<string, T>();
  return (checksum) => {
    const value = known.get(checksum) ?? read(checksum);
    known.set(checksum, value);
    return value;
  };
}

function oncePerLabel<T>(
  write: (checksum: string, label: Buffer) => T,
): (checksum: string, label: Buffer) => T {
  const known = new Map<string, T>();
  return (checksum, label) => {
    const key = `${checksum}${label.toString("latin1")}`;
    const value = known.get(key) ?? write(checksum, label);
    known.set(key, value);
    return value;
  };
}

interface Rewriting {
  readonly libc: Libc;
  readonly objects: ObjectWriter;
  readonly label: Buffer;
}

async function writeFile(path: string, { libc, objects, label }: Rewriting): Promise<string> {
  const stats = lstatSync(path);
  const { uid, gid, mode, size } = stats;
  const xattrs = withLabel(readXattrs(libc, path), label);
  if (stats.isSymbolicLink()) return objects.symlink({ uid, gid, xattrs }, readlinkSync(path));
  const file = objects.file({ uid, gid, mode: mode & 0o7777, sizeBytes: size, xattrs });
  try {
    for (const piece of readPieces(path, size)) {
      file.write(piece);
      await objects.drain();
    }
  } catch (error) {
    file.abandon();
    throw error;
  }
  return file.end();
}

function readXattrs(libc: Libc, path: string): readonly Xattr[] {
  return libc.listXattrs(path).flatMap((name) => {
    const value = libc.getXattr(path, name);
    return value === undefined ? [] : [{ name, value }];
  });
}

const PIECE_BYTES = 1 << 20;

function* readPieces(path: string, sizeBytes: number): Generator<Buffer> {
  const fd = openSync(path, "r");
  try {
    for (let left = sizeBytes; left > 0; ) {
      const piece = Buffer.allocUnsafe(Math.min(left, PIECE_BYTES));
      const length = readSync(fd, piece);
      if (length === 0) throw new BootcError(`\`${path}\` ends early`, { kind: "integrity" });
      left -= length;
      yield piece.subarray(0, length);
    }
  } finally {
    closeSync(fd);
  }
}
