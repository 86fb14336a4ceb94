// A seccomp filter that asks a supervisor before each system call that changes a file system. It holds for the
// thread that installs it, and for all programs which that thread starts from then on.
import { addressOf, lastErrno, openLibrary, systemError } from "../../src/native/ffi.ts";
import { CALLS, type Call } from "./calls.ts";

/** The parts of a program for the kernel's packet filter, by linux/bpf_common.h. */
const LOAD = 0x20;
const JUMP_IF_EQUAL = 0x15;
const JUMP_IF_BITS = 0x45;
const RETURN = 0x06;

const ALLOW = 0x7fff0000;
const ASK = 0x7fc00000;

const AUDIT_ARCH_X86_64 = 0xc000003e;
/** Places in `struct seccomp_data`. */
const AT_NUMBER = 0;
const AT_ARCH = 4;
const atArgument = (index: number) => 16 + 8 * index;

interface Instruction {
  readonly code: number;
  readonly ifTrue?: number;
  readonly ifFalse?: number;
  readonly value: number;
}

const give = (value: number): Instruction => ({ code: RETURN, value });
const load = (value: number): Instruction => ({ code: LOAD, value });

/** The program: a block for each call, which ends with its answer. */
export function formatFilter(): Buffer {
  const blocks = Object.values<Call>(CALLS).flatMap((call) => {
    const tests = testsOf(call);
    return [
      { code: JUMP_IF_EQUAL, ifTrue: 0, ifFalse: tests.length, value: call.number },
      ...tests,
    ];
  });
  const all = [
    load(AT_ARCH),
    { code: JUMP_IF_EQUAL, ifTrue: 1, ifFalse: 0, value: AUDIT_ARCH_X86_64 },
    give(ALLOW),
    load(AT_NUMBER),
    ...blocks,
    give(ALLOW),
  ];
  return Buffer.concat(all.map(formatInstruction));
}

function testsOf({ bits, values }: Call): readonly Instruction[] {
  if (bits !== undefined) {
    const test = { code: JUMP_IF_BITS, ifTrue: 1, ifFalse: 0, value: bits.mask };
    return [load(atArgument(bits.at)), test, give(ALLOW), give(ASK)];
  }
  if (values === undefined) return [give(ASK)];
  const count = values.values.length;
  return [
    load(atArgument(values.at)),
    ...values.values.map((value, i) => ({
      code: JUMP_IF_EQUAL,
      ifTrue: count - i,
      ifFalse: 0,
      value,
    })),
    give(ALLOW),
    give(ASK),
  ];
}

function formatInstruction({ code, ifTrue = 0, ifFalse = 0, value }: Instruction): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt16LE(code, 0);
  bytes.writeUInt8(ifTrue, 2);
  bytes.writeUInt8(ifFalse, 3);
  bytes.writeUInt32LE(value >>> 0, 4);
  return bytes;
}

const SECCOMP = 317n;
const SET_MODE_FILTER = 1n;
/** A listener; and signals other than SIGKILL wait for the answer, or a call would be counted twice. */
const FLAGS = (1n << 3n) | (1n << 5n);

/** Installs the filter for the calling thread. Returns the descriptor on which the supervisor is asked. */
export function installFilter(): number {
  const library = openLibrary(null, {
    syscall: { arguments: ["i64", "i64", "i64", "buffer"], return: "i32" },
  });
  if (library === undefined) throw new Error("the C library cannot be called");
  const program = formatFilter();
  const bytes = program.buffer.slice(
    program.byteOffset,
    program.byteOffset + program.length,
  ) as ArrayBuffer;
  const words = Buffer.alloc(16);
  words.writeUInt16LE(program.length / 8, 0);
  words.writeBigUInt64LE(addressOf(bytes), 8);
  const listener = library.functions.syscall(SECCOMP, SET_MODE_FILTER, FLAGS, words);
  if (listener < 0) throw systemError(lastErrno(), { syscall: "seccomp" });
  return listener;
}
