// Calls that Node lacks: extended attributes, locks, two kinds of rename.
//
// All calls are synchronous. They check their arguments, which the C library would trust.
import { isUtf8 } from "node:buffer";
import { constants } from "node:os";
import { types } from "node:util";
import { BootcError } from "../errors.ts";
import {
  type CallOutcome,
  describeValue,
  type FailedCall,
  isDoorOpen,
  type Library,
  makeCall,
  openLibrary,
  requireText,
  systemError,
} from "./ffi.ts";

/** A path, whose last symbolic link is not followed, or the descriptor of an open file. */
export type FileOrDescriptor = string | number;

export type LockKind = "shared" | "exclusive";

/**
 * A call that the system refuses throws what `fs` would: an error with `code`, `errno`, `syscall` and `path`.
 * Invalid arguments throw a `BootcError` before any call.
 */
export interface Libc {
  /** Sets an extended attribute; one of that name is replaced. */
  setXattr(file: FileOrDescriptor, name: string, value: Uint8Array): void;
  /** Undefined when the file has no attribute of that name. */
  getXattr(file: FileOrDescriptor, name: string): Buffer | undefined;
  /** The names in the file system's order. Only root sees `trusted.*`. */
  listXattrs(file: FileOrDescriptor): readonly string[];
  /** Removes an extended attribute; ENODATA when the file has none of that name. */
  removeXattr(file: FileOrDescriptor, name: string): void;
  /**
   * Takes an open file description lock on the whole file, the kind by which ostree locks repositories, or
   * turns the one it holds into `kind`. False when another lock is in the way; it never waits. `exclusive`
   * needs a file open for writing, `shared` one open for reading. The lock ends when the last copy of the
   * descriptor is closed, in child processes too.
   */
  tryLock(fd: number, kind: LockKind): boolean;
  unlock(fd: number): void;
  /** The lock that keeps `fd` from taking one of kind `kind`; undefined when it is free to. */
  findLock(fd: number, kind: LockKind): LockKind | undefined;
  /** Takes an exclusive flock(2) lock; false when another holds it. The locks above do not see it. */
  tryFlock(fd: number): boolean;
  /** Renames `from` to `to`; EEXIST when `to` exists. */
  renameToNew(from: string, to: string): void;
  /** Swaps two names atomically. */
  exchangeNames(one: string, other: string): void;
}

/** No `ssize_t` returned here exceeds the 64 KiB of an attribute, so its lower half is enough. */
const FUNCTIONS = {
  lsetxattr: { arguments: ["string", "string", "buffer", "u64", "i32"], return: "i32" },
  fsetxattr: { arguments: ["i32", "string", "buffer", "u64", "i32"], return: "i32" },
  lgetxattr: { arguments: ["string", "string", "buffer", "u64"], return: "i32" },
  fgetxattr: { arguments: ["i32", "string", "buffer", "u64"], return: "i32" },
  llistxattr: { arguments: ["string", "buffer", "u64"], return: "i32" },
  flistxattr: { arguments: ["i32", "buffer", "u64"], return: "i32" },
  lremovexattr: { arguments: ["string", "string"], return: "i32" },
  fremovexattr: { arguments: ["i32", "string"], return: "i32" },
  // Variadic, which makes no difference for integers and pointers on Linux, on x64 or arm64.
  fcntl: { arguments: ["i32", "i32", "buffer"], return: "i32" },
  flock: { arguments: ["i32", "i32"], return: "i32" },
  renameat2: { arguments: ["i32", "string", "i32", "string", "u32"], return: "i32" },
} as const;

type Functions = Library<typeof FUNCTIONS>["functions"];

let opened: Libc | undefined;

/** The C library; undefined when it cannot be called. The first call loads it, so importing costs nothing. */
export function openLibc(): Libc | undefined {
  if (!isDoorOpen()) return undefined;
  if (opened === undefined) {
    const library = openLibrary(null, FUNCTIONS);
    if (library === undefined) return undefined;
    const { functions } = library;
    opened = { ...bindXattrs(functions), ...bindLocks(functions), ...bindFileSystem(functions) };
  }
  return opened;
}

/** Linux limits both the value of an attribute and the list of names to this. */
const XATTR_BYTES_MAX = 65536;

function bindXattrs(
  c: Functions,
): Pick<Libc, "setXattr" | "getXattr" | "listXattrs" | "removeXattr"> {
  const scratch = Buffer.alloc(XATTR_BYTES_MAX);
  const size = BigInt(XATTR_BYTES_MAX);
  const { ENODATA } = constants.errno;
  return {
    setXattr(file, name, value) {
      requireText(name, "the name of an extended attribute");
      const length = BigInt(requireBytes(value));
      const set = isPath(file)
        ? () => c.lsetxattr(file, name, value, length, 0)
        : () => c.fsetxattr(file, name, value, length, 0);
      requireSuccess(makeCall(set), { syscall: "setxattr", path: file });
    },
    getXattr(file, name) {
      requireText(name, "the name of an extended attribute");
      const get = isPath(file)
        ? () => c.lgetxattr(file, name, scratch, size)
        : () => c.fgetxattr(file, name, scratch, size);
      const outcome = makeCall(get);
      if (outcome.errno === ENODATA) return undefined;
      const length = requireSuccess(outcome, { syscall: "getxattr", path: file });
      return Buffer.from(scratch.subarray(0, length));
    },
    listXattrs(file) {
      const list = isPath(file)
        ? () => c.llistxattr(file, scratch, size)
        : () => c.flistxattr(file, scratch, size);
      const length = requireSuccess(makeCall(list), { syscall: "listxattr", path: file });
      return parseNames(scratch.subarray(0, length), file);
    },
    removeXattr(file, name) {
      requireText(name, "the name of an extended attribute");
      const remove = isPath(file)
        ? () => c.lremovexattr(file, name)
        : () => c.fremovexattr(file, name);
      requireSuccess(makeCall(remove), { syscall: "removexattr", path: file });
    },
  };
}

/** Every name ends with a NUL byte. */
function parseNames(bytes: Buffer, file: FileOrDescriptor): readonly string[] {
  if (!isUtf8(bytes)) {
    throw new BootcError(`an extended attribute of \`${file}\` has a name that is not UTF-8`);
  }
  return bytes.toString("utf8").split("\0").slice(0, -1);
}

/** From the kernel's headers; the same on both architectures. */
const F_OFD_GETLK = 36;
const F_OFD_SETLK = 37;
const F_RDLCK = 0;
const F_WRLCK = 1;
const F_UNLCK = 2;
const LOCK_EX = 2;
const LOCK_NB = 4;

function bindLocks(c: Functions): Pick<Libc, "tryLock" | "unlock" | "findLock" | "tryFlock"> {
  const { EAGAIN, EACCES } = constants.errno;
  const fcntl = (fd: number, command: number, lock: DataView) => {
    requireDescriptor(fd);
    return makeCall(() => c.fcntl(fd, command, lock));
  };
  return {
    tryLock(fd, kind) {
      const outcome = fcntl(fd, F_OFD_SETLK, wholeFile(typeOf(kind)));
      if (outcome.errno === EAGAIN || outcome.errno === EACCES) return false;
      requireSuccess(outcome, { syscall: "fcntl" });
      return true;
    },
    unlock(fd) {
      requireSuccess(fcntl(fd, F_OFD_SETLK, wholeFile(F_UNLCK)), { syscall: "fcntl" });
    },
    findLock(fd, kind) {
      const lock = wholeFile(typeOf(kind));
      requireSuccess(fcntl(fd, F_OFD_GETLK, lock), { syscall: "fcntl" });
      const type = lock.getInt16(0, true);
      if (type === F_UNLCK) return undefined;
      return type === F_WRLCK ? "exclusive" : "shared";
    },
    tryFlock(fd) {
      requireDescriptor(fd);
      const outcome = makeCall(() => c.flock(fd, LOCK_EX | LOCK_NB));
      if (outcome.errno === EAGAIN) return false;
      requireSuccess(outcome, { syscall: "flock" });
      return true;
    },
  };
}

function typeOf(kind: LockKind): number {
  if (kind === "shared") return F_RDLCK;
  if (kind === "exclusive") return F_WRLCK;
  throw new BootcError(`${describeValue(kind)} is not a kind of lock`);
}

/** A `struct flock`: type, whence (SEEK_SET), start, length (0: to the end), process (must be 0). */
function wholeFile(type: number): DataView {
  const lock = new DataView(new ArrayBuffer(32));
  lock.setInt16(0, type, true);
  return lock;
}

const AT_FDCWD = -100;
const RENAME_NOREPLACE = 1;
const RENAME_EXCHANGE = 2;

function bindFileSystem(c: Functions): Pick<Libc, "renameToNew" | "exchangeNames"> {
  const rename = (path: string, dest: string, flags: number) => {
    requireText(path, "a path");
    requireText(dest, "a path");
    const outcome = makeCall(() => c.renameat2(AT_FDCWD, path, AT_FDCWD, dest, flags));
    requireSuccess(outcome, { syscall: "renameat2", path, dest });
  };
  return {
    renameToNew: (from, to) => rename(from, to, RENAME_NOREPLACE),
    exchangeNames: (one, other) => rename(one, other, RENAME_EXCHANGE),
  };
}

interface Call extends Omit<FailedCall, "path"> {
  readonly path?: FileOrDescriptor;
}

/** Returns what the call returned. */
function requireSuccess({ status, errno }: CallOutcome, { path, ...call }: Call): number {
  if (status >= 0) return status;
  throw systemError(errno, { ...call, path: typeof path === "string" ? path : undefined });
}

/** Whether `file` is a path. Throws when it is neither a path nor a descriptor. */
function isPath(file: FileOrDescriptor): file is string {
  if (typeof file === "string") requireText(file, "a path");
  else requireDescriptor(file);
  return typeof file === "string";
}

function requireDescriptor(fd: number): void {
  if (Number.isInteger(fd) && fd >= 0 && fd < 2 ** 31) return;
  throw new BootcError(`${describeValue(fd)} is not the descriptor of an open file`);
}

/** The length of `value`. Bytes that lost their memory, by transfer for instance, would pass for empty. */
function requireBytes(value: Uint8Array): number {
  if (types.isUint8Array(value) && hasMemory(value)) return value.byteLength;
  throw new BootcError(`${describeValue(value)} is not the value of an extended attribute`);
}

function hasMemory(value: Uint8Array): boolean {
  try {
    // Throws for a detached array and for one beyond the end of its buffer; no property tells both.
    value.at(0);
    return true;
  } catch {
    return false;
  }
}
