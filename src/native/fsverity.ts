// The two calls of fs-verity, which Node lacks: protect a file, and ask for the digest of a protected one.
import { constants } from "node:os";
import { BootcError } from "../errors.ts";
import {
  type CallOutcome,
  describeValue,
  type Library,
  makeCall,
  openLibrary,
  systemError,
} from "./ffi.ts";

export interface FileVerity {
  /**
   * Protects an open file with SHA-256 and blocks of 4096 bytes. The kernel reads the whole file and blocks
   * this thread meanwhile. `fd` is open for reading, and nobody has the file open for writing.
   */
  enable(fd: number): void;
  /** The digest of a protected file; undefined when it is not protected. */
  measure(fd: number): MeasuredDigest | undefined;
}

export interface MeasuredDigest {
  /** The kernel's number: 1 is SHA-256, 2 is SHA-512. */
  readonly algorithm: number;
  readonly digest: Buffer;
}

// Variadic, which makes no difference for integers and pointers on Linux, on x64 or arm64.
const FUNCTIONS = {
  ioctl: { arguments: ["i32", "u64", "buffer"], return: "i32" },
} as const;

/** From the kernel's headers; the same on both architectures. */
const FS_IOC_ENABLE_VERITY = 0x40806685n;
const FS_IOC_MEASURE_VERITY = 0xc0046686n;
const SHA256 = 1;
const DIGEST_BYTES_MAX = 64;

/** Undefined when the C library cannot be called. The file system may still refuse. */
export function openFileVerity(): FileVerity | undefined {
  const library = openLibrary(null, FUNCTIONS);
  return library && bindVerity(library.functions);
}

function bindVerity(c: Library<typeof FUNCTIONS>["functions"]): FileVerity {
  const ioctl = (fd: number, request: bigint, argument: DataView): CallOutcome => {
    if (!Number.isInteger(fd) || fd < 0 || fd >= 2 ** 31) {
      throw new BootcError(`${describeValue(fd)} is not the descriptor of an open file`);
    }
    return makeCall(() => c.ioctl(fd, request, argument));
  };
  return {
    enable(fd) {
      // A `struct fsverity_enable_arg`: version, algorithm, block size; no salt and no signature.
      const argument = new DataView(new ArrayBuffer(128));
      argument.setUint32(0, 1, true);
      argument.setUint32(4, SHA256, true);
      argument.setUint32(8, 4096, true);
      const { status, errno } = ioctl(fd, FS_IOC_ENABLE_VERITY, argument);
      if (status < 0) throw systemError(errno, { syscall: "FS_IOC_ENABLE_VERITY" });
    },
    measure(fd) {
      // A `struct fsverity_digest`: algorithm, length of the room and then of the digest, the digest.
      const answer = new DataView(new ArrayBuffer(4 + DIGEST_BYTES_MAX));
      answer.setUint16(2, DIGEST_BYTES_MAX, true);
      const { status, errno } = ioctl(fd, FS_IOC_MEASURE_VERITY, answer);
      if (errno === constants.errno.ENODATA) return undefined;
      if (status < 0) throw systemError(errno, { syscall: "FS_IOC_MEASURE_VERITY" });
      const length = answer.getUint16(2, true);
      return {
        algorithm: answer.getUint16(0, true),
        digest: Buffer.from(answer.buffer.slice(4, 4 + length)),
      };
    },
  };
}
