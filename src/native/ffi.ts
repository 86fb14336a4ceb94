// The door to the system's libraries: the only file that uses `node:ffi`. It says whether the door is open.
//
// `node:ffi` is experimental, so callers can also do their work by programs when the door is shut. `node:ffi`
// checks types but takes any number as a pointer, so callers check every argument first.
import { constants } from "node:os";
import { getSystemErrorMap, inspect } from "node:util";
import { BootcError } from "../errors.ts";

type Ffi = typeof import("node:ffi");
type Definitions = import("node:ffi").FunctionDefinitions;

/** A library that was opened. It is never closed. */
export type Library<T extends Definitions> = Pick<
  import("node:ffi").DynamicLibraryResult<T>,
  "lib" | "functions"
>;

/** Both are 64-bit and little-endian, and lay out the structures we pass in the same way. */
const ARCHITECTURES: readonly string[] = ["x64", "arm64"];

/** Tests set this variable, to anything, to shut the door. No variable opens it. */
const SHUT = "BOOTC_WITHOUT_FFI";

interface Door {
  readonly ffi: Ffi;
  /** Kept, so that the address below stays valid. */
  readonly libc: Library<typeof NEEDED>;
  /** Address of this thread's errno. */
  readonly errno: bigint;
}

/** Found in glibc; musl lacks the second, and we have not tried it. */
const NEEDED = {
  __errno_location: { arguments: [], return: "pointer" },
  gnu_get_libc_version: { arguments: [], return: "pointer" },
} as const satisfies Definitions;

/** Undefined until the first try, null when the door does not open. */
let tried: Door | null | undefined;

function openDoor(): Door | undefined {
  if (process.env[SHUT]) return undefined;
  if (tried === undefined) tried = tryDoor() ?? null;
  return tried ?? undefined;
}

function tryDoor(): Door | undefined {
  if (process.platform !== "linux" || !ARCHITECTURES.includes(process.arch)) return undefined;
  const ffi = loadFfi();
  const libc = ffi && load(ffi, null, NEEDED);
  return ffi && libc && { ffi, libc, errno: libc.functions.__errno_location() };
}

/** Undefined when Node lacks `node:ffi`. Its warning about being experimental is useless to our users. */
function loadFfi(): Ffi | undefined {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return process.getBuiltinModule("node:ffi");
  } finally {
    process.emitWarning = emitWarning;
  }
}

function load<const T extends Definitions>(
  { dlopen }: Ffi,
  name: string | null,
  definitions: T,
): Library<T> | undefined {
  try {
    return dlopen(name, definitions);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    // The library or a function is missing, or Node's permission model forbids it.
    if (code === "ERR_FFI_CALL_FAILED" || code === "ERR_ACCESS_DENIED") return undefined;
    throw error;
  }
}

/** Whether system libraries can be called at all. Looks each time, since a test may shut the door. */
export function isDoorOpen(): boolean {
  return openDoor() !== undefined;
}

/**
 * Opens the library `name` (`libselinux.so.1`), or with null what the process itself is linked to: its C
 * library. Undefined when the door is shut, or when the library or one of the functions is missing.
 */
export function openLibrary<const T extends Definitions>(
  name: string | null,
  definitions: T,
): Library<T> | undefined {
  const door = openDoor();
  return door && load(door.ffi, name, definitions);
}

/** The text at an address that a library returned, up to its NUL byte. */
export function readText(pointer: bigint): string {
  if (pointer === 0n) throw new Error("unreachable: a library returned no text");
  return requireDoor().ffi.toString(pointer) ?? "";
}

/** The address of `bytes`. It is valid only while something holds on to them. */
export function addressOf(bytes: ArrayBuffer): bigint {
  return requireDoor().ffi.getRawPointer(bytes);
}

/** Sets errno: to 0, before a function that may fail without saying why. */
export function setErrno(value: number): void {
  const { ffi, errno } = requireDoor();
  ffi.setInt32(errno, 0, value);
}

/**
 * Why the last call failed, as far as that can be known: before this reads errno, the engine may do work of
 * its own, such as collecting garbage, and change it. Good enough for a message; to decide, use `makeCall`.
 */
export function lastErrno(): number {
  const { ffi, errno } = requireDoor();
  return ffi.getInt32(errno, 0);
}

export interface CallOutcome {
  /** What the call returned; negative when it failed. */
  readonly status: number;
  /** Why it failed; 0 when it did not, or gave no reason. */
  readonly errno: number;
}

const { EIO, ENOSPC, EDQUOT, EROFS, ENODATA, EEXIST, EXDEV, ECONNRESET, EPIPE } = constants.errno;

/** Errnos that the engine never sets: its own work neither writes files nor uses attributes or sockets. */
const CERTAIN: ReadonlySet<number> = new Set([
  ...[EIO, ENOSPC, EDQUOT, EROFS, ENODATA],
  ...[EEXIST, EXDEV, ECONNRESET, EPIPE],
]);

/** So many failures that differ are enough, and the last one counts. */
const TRIES_MAX = 10;

/**
 * Makes a call, and when it fails, makes it again until it has failed twice in a row for the same reason,
 * since `lastErrno` alone may be wrong. So the call must do nothing when it fails. An errno that the engine
 * never sets counts at once: a disk may report its error only once.
 */
export function makeCall(call: () => number): CallOutcome {
  let before: number | undefined;
  for (let tries = 1; ; tries++) {
    const status = call();
    if (status >= 0) return { status, errno: 0 };
    const errno = lastErrno();
    if (errno === before || CERTAIN.has(errno) || tries === TRIES_MAX) return { status, errno };
    before = errno;
  }
}

function requireDoor(): Door {
  if (!tried) throw new Error("unreachable: nothing was opened through the door");
  return tried;
}

/** Throws unless `text` reaches a library unchanged: without a NUL byte, and with a form in UTF-8. */
export function requireText(text: unknown, what: string): void {
  if (typeof text === "string" && text !== "" && !text.includes("\0") && text.isWellFormed())
    return;
  throw new BootcError(`${describeValue(text)} is not ${what}`);
}

export function describeValue(value: unknown): string {
  return `\`${inspect(value, { maxStringLength: 80, maxArrayLength: 8, depth: 0 })}\``;
}

export interface FailedCall {
  readonly syscall: string;
  readonly path?: string | undefined;
  readonly dest?: string | undefined;
}

/** The error for an errno, with the text and the properties of an error from `fs`. */
export function systemError(
  errno: number,
  { syscall, path, dest }: FailedCall,
): NodeJS.ErrnoException {
  const [code, text] = describeErrno(errno);
  const what = [path, dest].flatMap((it) => (it === undefined ? [] : [`'${it}'`])).join(" -> ");
  const error = new Error(`${code}: ${text}, ${`${syscall} ${what}`.trimEnd()}`);
  const places = { ...(path !== undefined && { path }), ...(dest !== undefined && { dest }) };
  return Object.assign(error, { errno: -errno, code, syscall, ...places });
}

function describeErrno(errno: number): readonly [code: string, text: string] {
  const known = getSystemErrorMap().get(-errno);
  if (known !== undefined) return known;
  // libuv lacks some, EDQUOT among them, which our exit status depends on.
  const [code] = Object.entries(constants.errno).find(([, it]) => it === errno) ?? [];
  return [code ?? `E${errno}`, "system error"];
}
