// Content objects written as files of a repository of mode `bare`: hashed and stored in one pass.
import { createHash } from "node:crypto";
import {
  closeSync,
  fchmodSync,
  fchownSync,
  futimesSync,
  lchownSync,
  linkSync,
  lstatSync,
  openSync,
  statfsSync,
  symlinkSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { BootcError, errnoOf } from "../../errors.ts";
import { type Libc, openLibc } from "../../native/libc.ts";
import {
  FILE_TYPES,
  formatFileHeader,
  objectPath,
  sha256,
  type Xattr,
} from "../../ostree/objects.ts";
import type { Scratch } from "../../repository/scratch.ts";
import { removeFileSync } from "../../system/files.ts";
import { createLargeFiles, type LargeFile } from "./large-file.ts";
import { metadataKey, SYMLINK_MODE, setXattrs } from "./xattrs.ts";

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

export interface NewLink extends Owner {
  readonly xattrs: readonly Xattr[];
}

export interface NewFile extends NewLink {
  /** Only the permission bits. */
  readonly mode: number;
  readonly sizeBytes: number;
}

export interface FileWriter {
  /** The piece must stay as it is until the writer has settled. */
  write(piece: Buffer): void;
  /** Completes the file; returns the object's checksum. */
  end(): string;
  /** Discards the file: no more content will arrive. */
  abandon(): void;
}

export interface ObjectWriter {
  /** Whether files and links may have extended attributes. */
  readonly takesXattrs: boolean;
  file(meta: NewFile): FileWriter;
  symlink(meta: NewLink, target: string): string;
  /** How much content was taken so far. */
  takenBytes(): number;
  /** To be awaited now and then: resolves when there is room for more. Throws what went wrong. */
  drain(): Promise<void>;
  /** Resolves when nothing is done any more for the files that ended, or were abandoned, by now. */
  settle(): Promise<void>;
}

export interface ObjectPlace {
  /** The repository that is written, of mode `bare`. */
  readonly scratch: Scratch;
  /** One on the same file system whose objects are taken over where they are the same. */
  readonly shared: string;
  /** Bytes that must stay free on the file system. */
  readonly reserveBytes: number;
}

/** Smaller files are written when they are whole: going to another thread costs more than that. */
const LARGE_BYTES = 1 << 16;
/** How much is taken before the room left is looked at again. */
const LOOK_BYTES = 16 << 20;

export function createObjectWriter(place: ObjectPlace): ObjectWriter {
  const libc = openLibc();
  const files = createObjectFiles(place, libc);
  const large = createLargeFiles();
  const headerOf = createHeaders();
  const requireRoom = createRoomCheck(place);
  let count = 0;
  let takenBytes = 0;

  function take(bytes: number): void {
    takenBytes += bytes;
    requireRoom(takenBytes);
  }

  return {
    takesXattrs: libc !== undefined,
    file(meta) {
      const hash = createHash("sha256").update(headerOf(meta));
      const finish = (fd: number) => setMetadata(libc, fd, meta);
      const content =
        meta.sizeBytes < LARGE_BYTES
          ? smallContent(files, finish)
          : largeContent(files, large.create(join(place.scratch.top, `large-${count++}`)), finish);
      return {
        write(piece) {
          take(piece.length);
          hash.update(piece);
          content.append(piece);
        },
        end() {
          const checksum = hash.digest("hex");
          content.end(checksum);
          return checksum;
        },
        abandon: () => content.abandon(),
      };
    },
    symlink(meta, target) {
      const { uid, gid, xattrs } = meta;
      const mode = SYMLINK_MODE;
      const header = formatFileHeader({ uid, gid, mode, symlinkTarget: target, xattrs });
      const checksum = sha256(header);
      files.symlink(checksum, target, meta);
      return checksum;
    },
    takenBytes: () => takenBytes,
    drain: () => large.drain(),
    settle: () => large.settle(),
  };
}

interface Content {
  append(piece: Buffer): void;
  end(checksum: string): void;
  abandon(): void;
}

type ObjectFiles = ReturnType<typeof createObjectFiles>;
type Finish = (fd: number) => void;

function smallContent(files: ObjectFiles, finish: Finish): Content {
  const held: Buffer[] = [];
  return {
    append: (piece) => held.push(piece),
    end: (checksum) => files.create(checksum, held, finish),
    abandon() {},
  };
}

function largeContent(files: ObjectFiles, file: LargeFile, finish: Finish): Content {
  return {
    append: (piece) => file.append(piece),
    end(checksum) {
      const path = files.pathOf(checksum);
      file.end(files.isTaken(checksum, path) ? undefined : path, finish);
    },
    abandon: () => file.end(undefined, finish),
  };
}

function setMetadata(
  libc: Libc | undefined,
  fd: number,
  { uid, gid, mode, xattrs }: NewFile,
): void {
  fchownSync(fd, uid, gid);
  fchmodSync(fd, mode);
  if (xattrs.length > 0) setXattrs(requireLibc(libc), fd, xattrs);
  futimesSync(fd, 0, 0);
}

function requireLibc(libc: Libc | undefined): Libc {
  if (libc === undefined) throw new Error("unreachable: attributes without a call to set them");
  return libc;
}

/** Attributes that only one file has, such as signatures, make headers that are not used again. */
const KNOWN_XATTR_BYTES = 256;
const KNOWN_HEADERS = 4096;

/** Most files of an image share their owner, mode and attributes with many. */
function createHeaders(): (file: NewFile) => Buffer {
  const known = new Map<string, Buffer>();
  return (file) => {
    if (file.xattrs.some(({ value }) => value.length > KNOWN_XATTR_BYTES))
      return formatHeader(file);
    const key = metadataKey(file);
    const found = known.get(key);
    if (found !== undefined) return found;
    const header = formatHeader(file);
    if (known.size >= KNOWN_HEADERS) known.clear();
    known.set(key, header);
    return header;
  };
}

function formatHeader({ uid, gid, mode, xattrs }: NewFile): Buffer {
  const symlinkTarget = "";
  return formatFileHeader({ uid, gid, mode: FILE_TYPES.regular | mode, symlinkTarget, xattrs });
}

function createRoomCheck({ scratch, reserveBytes }: ObjectPlace): (takenBytes: number) => void {
  let nextBytes = 0;
  return (takenBytes) => {
    if (takenBytes < nextBytes) return;
    nextBytes = takenBytes + LOOK_BYTES;
    // What the file system keeps for root is ours as well.
    const { bfree, bsize } = statfsSync(scratch.top);
    if (bfree * bsize > reserveBytes) return;
    throw new BootcError("no room left beyond what the repository's `min-free-space` keeps free", {
      kind: "space",
      hint: "free some, for instance with `bootc internals cleanup`",
    });
  };
}

/** Objects under their names, where one that is there already is the same one. */
function createObjectFiles({ scratch, shared }: ObjectPlace, libc: Libc | undefined) {
  const pathOf = (checksum: string) => scratch.pathOf(checksum, "file");

  /** Whether the object is there by now without anything being written. */
  function isTaken(checksum: string, path: string): boolean {
    const known = join(shared, objectPath(checksum, "file"));
    // What a symbolic link leads to does not matter, and is not looked at.
    if (lstatSync(known, { throwIfNoEntry: false }) === undefined) return false;
    try {
      linkSync(known, path);
      return true;
    } catch (error) {
      // Whatever else keeps it from being linked (removed just now, too many links, immutable): written anew.
      return errnoOf(error) === "EEXIST";
    }
  }

  function create(checksum: string, content: readonly Buffer[], finish: Finish): void {
    const path = pathOf(checksum);
    if (isTaken(checksum, path)) return;
    const fd = unlessExists(() => openSync(path, "wx", 0o600));
    if (fd === EXISTS) return;
    try {
      for (const piece of content) writeWhole(fd, piece);
      finish(fd);
    } catch (error) {
      removeFileSync(path);
      throw error;
    } finally {
      closeSync(fd);
    }
  }

  function symlink(checksum: string, target: string, { uid, gid, xattrs }: NewLink): void {
    const path = pathOf(checksum);
    if (isTaken(checksum, path) || unlessExists(() => symlinkSync(target, path)) === EXISTS) return;
    try {
      lchownSync(path, uid, gid);
      if (xattrs.length > 0) setXattrs(requireLibc(libc), path, xattrs);
    } catch (error) {
      removeFileSync(path);
      throw error;
    }
  }

  return { pathOf, isTaken, create, symlink };
}

function writeWhole(fd: number, piece: Buffer): void {
  for (let done = 0; done < piece.length; ) done += writeSync(fd, piece, done);
}

const EXISTS = Symbol("exists");

function unlessExists<T>(make: () => T): T | typeof EXISTS {
  try {
    return make();
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return EXISTS;
    throw error;
  }
}
