// Labels by the SELinux policy of an image. libselinux looks them up in this process, as it does for ostree.
import { constants } from "node:os";
import { join } from "node:path";
import { BootcError } from "../errors.ts";
import {
  addressOf,
  describeValue,
  type Library,
  makeCall,
  openLibrary,
  readText,
  requireText,
  setErrno,
  systemError,
} from "./ffi.ts";

/** The file contexts of one policy. Several can be open at once; the machine's own policy plays no part. */
export interface FileLabels {
  /**
   * The label for `path`, absolute in the system that the policy is for; no file is looked at. Of `mode`, as
   * in stat, only the type counts, and 0 stands for any. Undefined when the policy gives no label: no rule
   * matches, or `<<none>>` does.
   */
  lookUp(path: string, mode: number): string | undefined;
  /** Frees the policy. No lookups are possible afterwards. */
  close(): void;
}

const FUNCTIONS = {
  selabel_open: { arguments: ["u32", "buffer", "u32"], return: "pointer" },
  selabel_lookup_raw: { arguments: ["pointer", "buffer", "string", "i32"], return: "i32" },
  selabel_close: { arguments: ["pointer"], return: "void" },
  freecon: { arguments: ["pointer"], return: "void" },
  selinux_set_callback: { arguments: ["i32", "pointer"], return: "void" },
} as const;

type Functions = Library<typeof FUNCTIONS>["functions"];

const LIBRARY = "libselinux.so.1";

export interface LabelsOptions {
  /** The folder has some rules of a policy that was opened before, perhaps none for the root. */
  readonly isPart?: boolean;
}

/**
 * Opens the policy in the folder `policy`, with its rules for home directories, its local rules and its
 * substitutions. Undefined when libselinux cannot be called. A policy that it refuses is a `BootcError`.
 *
 * ostree sets one policy root for the whole process (`selinux_set_policy_root`), which finds the same files
 * as the path passed here. Of a file and its compiled form (`.bin`), libselinux takes the newer one, and the
 * compiled one when both are of the same age, as in a checkout. A copy of a policy has to keep that order.
 */
export function openFileLabels(
  policy: string,
  { isPart = false }: LabelsOptions = {},
): FileLabels | undefined {
  const library = openLibrary(LIBRARY, FUNCTIONS);
  if (library === undefined) return undefined;
  silence(library.functions);
  const path = join(policy, "contexts/files/file_contexts");
  const labels = bindLabels(library.functions, openHandle(library.functions, path));
  try {
    // ostree refuses such a policy, too. It asks without a type of file, as here.
    if (!isPart && labels.lookUp("/", 0o755) === undefined)
      throw new BootcError("it has no label for `/`");
    return labels;
  } catch (error) {
    labels.close();
    throw error;
  }
}

const SELINUX_CB_LOG = 0;

/**
 * libselinux would print lines of the policy with all their control characters to standard error. It gets a
 * function of the C library in place of its own that takes the first argument, a number, and does nothing.
 */
function silence(c: Functions): void {
  const nothing = openLibrary(null, {})?.lib.getSymbol("abs");
  if (nothing === undefined) throw new Error("unreachable: a C library without `abs`");
  c.selinux_set_callback(SELINUX_CB_LOG, nothing);
}

const SELABEL_CTX_FILE = 0;
const SELABEL_OPT_PATH = 3;
const OPTION_BYTES = 16;

/** A handle of libselinux, as an address. */
function openHandle(c: Functions, path: string): bigint {
  requirePath(path);
  // A `struct selinux_opt` (type, pointer) and the text it points to share a buffer, alive during the call.
  const text = Buffer.from(`${path}\0`);
  const option = new ArrayBuffer(OPTION_BYTES + text.length);
  new Uint8Array(option).set(text, OPTION_BYTES);
  const view = new DataView(option);
  view.setInt32(0, SELABEL_OPT_PATH, true);
  view.setBigUint64(8, addressOf(option) + BigInt(OPTION_BYTES), true);
  let handle = 0n;
  const { errno } = makeCall(() => {
    setErrno(0);
    handle = c.selabel_open(SELABEL_CTX_FILE, option, 1);
    return handle === 0n ? -1 : 0;
  });
  if (handle !== 0n) return handle;
  if (errno === constants.errno.EINVAL || errno === 0) {
    throw new BootcError("libselinux cannot read its file contexts");
  }
  throw systemError(errno, { syscall: "selabel_open", path });
}

function bindLabels(c: Functions, handle: bigint): FileLabels {
  const label = new DataView(new ArrayBuffer(8));
  let isOpen = true;
  return {
    lookUp(path, mode) {
      if (!isOpen) throw new BootcError("the SELinux policy is closed already");
      requirePath(path);
      if (!Number.isInteger(mode) || mode < 0 || mode > 0o177777) {
        throw new BootcError(`${describeValue(mode)} is not the mode of a file`);
      }
      const place = placeOf(path);
      const { status, errno } = makeCall(() => {
        setErrno(0);
        return c.selabel_lookup_raw(handle, label, place, mode);
      });
      if (status === 0) return takeText(c, label.getBigUint64(0, true));
      if (errno === constants.errno.ENOENT) return undefined;
      // Without an errno, or with that of a regular expression that does not compile.
      if (errno === 0 || errno === constants.errno.EINVAL) {
        throw new BootcError(`libselinux cannot apply its rules to \`${path}\``);
      }
      throw systemError(errno, { syscall: "selabel_lookup", path });
    },
    close() {
      if (isOpen) c.selabel_close(handle);
      isOpen = false;
    },
  };
}

/**
 * The path that is looked up for `path`. Policies have no label for /proc, yet its mount point needs one:
 * ostree uses that of /mnt.
 */
export function placeOf(path: string): string {
  return path === "/proc" ? "/mnt" : path;
}

/** libselinux reads beyond the end of an empty path. */
function requirePath(path: string): void {
  requireText(path, "a path");
  if (!path.startsWith("/")) throw new BootcError(`\`${path}\` is not an absolute path`);
}

/** Reads a text and frees it. */
function takeText(c: Functions, address: bigint): string {
  try {
    return readText(address);
  } finally {
    c.freecon(address);
  }
}
