// Calls with senseless arguments. Each must end in a `BootcError` or a system error.
import { BootcError, errnoOf } from "../errors.ts";
import type { Libc } from "../native/libc.ts";
import type { FileLabels } from "../native/selabel.ts";

/** Bytes whose memory was transferred. */
export function detached(): Uint8Array {
  const bytes = new Uint8Array(8);
  structuredClone(bytes, { transfer: [bytes.buffer] });
  return bytes;
}

/** Bytes beyond the end of a buffer that has shrunk. */
export function shrunk(): Uint8Array {
  const buffer = new ArrayBuffer(64, { maxByteLength: 128 });
  const bytes = new Uint8Array(buffer, 32, 32);
  buffer.resize(16);
  return bytes;
}

const unprintable = {
  toString(): string {
    throw new Error("it has no text");
  },
};

/**
 * Arguments that a caller could confuse, and some that would be right elsewhere. No path among them exists,
 * so that no call succeeds by accident.
 */
const NONSENSE: readonly unknown[] = [
  undefined,
  null,
  true,
  "",
  "\0",
  "/nonexistent",
  "/nonexistent\0/x",
  "user.a",
  "user.",
  "user.a\0",
  "\ud800",
  "/\udfff/x",
  "n".repeat(300),
  `/${"d/".repeat(3000)}`,
  `/${"x".repeat(1 << 20)}`,
  -1,
  1_000_000_000,
  2 ** 31,
  2 ** 53,
  -(2 ** 31) - 1,
  1.5,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  0n,
  1n,
  0xdeadbeefn,
  1n << 64n,
  -1n,
  Symbol("s"),
  () => 1,
  {},
  { length: 1e9, byteLength: 1e9 },
  [],
  ["/nonexistent", "x"],
  unprintable,
  Object.create(null),
  new Proxy(new Uint8Array(4), {}),
  Buffer.alloc(0),
  Buffer.alloc(70_000),
  new Uint16Array(3),
  new ArrayBuffer(8),
  new DataView(new ArrayBuffer(8)),
  new Uint8Array(new SharedArrayBuffer(8)),
  detached(),
  shrunk(),
];

/** Counts calls and failures; rethrows any error of another kind. */
export function callWithNonsense(functions: Libc | FileLabels): {
  readonly calls: number;
  readonly failures: number;
} {
  const counts = { calls: 0, failures: 0 };
  for (const [name, value] of Object.entries(functions)) {
    if (name === "close") continue;
    const call = value as (...args: readonly unknown[]) => unknown;
    for (const args of argumentLists()) {
      counts.calls++;
      try {
        call(...args);
      } catch (error) {
        counts.failures++;
        if (!(error instanceof BootcError) && errnoOf(error) === undefined) throw error;
      }
    }
  }
  return counts;
}

function* argumentLists(): Generator<readonly unknown[]> {
  yield [];
  for (const one of NONSENSE) {
    yield [one];
    for (const two of NONSENSE) {
      yield [one, two];
      // The third argument is a value, checked apart from the others: one pair of them is enough.
      if (two === "user.a") for (const three of NONSENSE) yield [one, two, three];
    }
  }
}
