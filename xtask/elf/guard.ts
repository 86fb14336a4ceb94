// Code that runs before Node and hides variables from it that our program must not obey.
//
// Node, OpenSSL, libuv, ICU and simdutf read the environment while they start, some of them before
// `main`, so options of Node and code of the program come too late. Therefore the entry point becomes
// these few instructions: they go through the environment on the stack, change the first letter of each
// name that begins with one of the prefixes to lower case, and jump to the old entry point. The program
// restores the names for the programs it starts (src/system/hidden-environment.ts).
import { HIDDEN_PREFIXES } from "../../src/system/hidden-environment.ts";
import { architectureOf, type Elf, elfError, PT, type Section, type Segment, SHF } from "./read.ts";
import { roundUp } from "./write.ts";

const SECTION = ".text.guard";
const EXECUTABLE = 1;
const PROGBITS = 1;
const CODE_ALIGN = 16;
const ENTRY_AT = 24;

/** The guard in an executable: its place, and the changes in the tables. */
export interface Guard {
  readonly code: Buffer;
  readonly offset: number;
  readonly address: number;
  readonly section: Section;
  /** The segment that the guard lengthens. */
  readonly host: Segment;
}

/** Finds room for the guard behind the code of `elf`, in the unused end of its last page. */
export function placeGuard(elf: Elf): Guard {
  const entry = Number(elf.bytes.readBigUInt64LE(ENTRY_AT));
  const host = elf.segments.find(
    (it) =>
      it.type === PT.load &&
      (it.flags & EXECUTABLE) !== 0 &&
      entry >= it.address &&
      entry < it.address + it.fileBytes,
  );
  if (host === undefined) throw elfError("its entry point is in none of its segments");
  const gap = roundUp(host.offset + host.fileBytes, CODE_ALIGN) - host.offset;
  const [offset, address] = [host.offset + gap, host.address + gap];
  const code = guardCode(elf, address, entry);
  requireRoom(elf, host, offset + code.length);
  const section: Section = {
    name: SECTION,
    type: PROGBITS,
    flags: SHF.alloc | SHF.execute,
    address,
    offset,
    sizeBytes: code.length,
    link: undefined,
    infoSection: undefined,
    info: 0,
    align: CODE_ALIGN,
    entryBytes: 0,
  };
  return { code, offset, address, section, host };
}

/** Writes the guard's code into `content`, and makes its address the entry point. */
export function writeGuard(content: Buffer, { code, offset, address }: Guard): void {
  code.copy(content, offset);
  content.writeBigUInt64LE(BigInt(address), ENTRY_AT);
}

/** The segment that holds the guard, with its new length. */
export function lengthened({ host, offset, code }: Guard): Segment {
  const sizeBytes = offset + code.length - host.offset;
  return { ...host, fileBytes: sizeBytes, memoryBytes: sizeBytes };
}

/** Requires that the segment grows into nothing, neither in the file nor in memory. */
function requireRoom(elf: Elf, host: Segment, end: number): void {
  const hostEnd = host.offset + host.fileBytes;
  const isTaken = (start: number, sizeBytes: number) => start < end && start + sizeBytes > hostEnd;
  const memoryEnd = host.address + (end - host.offset);
  const others = elf.segments.filter((it) => it !== host && it.type === PT.load);
  if (
    host.memoryBytes !== host.fileBytes ||
    end > elf.bytes.length ||
    others.some((it) => isTaken(it.offset, it.fileBytes)) ||
    others.some((it) => it.address > host.address && it.address < memoryEnd) ||
    elf.bytes.subarray(hostEnd, end).some((it) => it !== 0)
  ) {
    throw elfError("there is no room behind its code");
  }
}

function guardCode(elf: Elf, address: number, entry: number): Buffer {
  return architectureOf(elf.bytes) === "arm64"
    ? arm64Code(address, entry)
    : x64Code(address, entry);
}

/**
 * At an entry point the stack holds argc, the arguments, 0, the environment, 0. Reading four bytes of any
 * string is safe: the kernel puts the program's name and eight zeros behind the last one. Registers that
 * have a meaning here by the system's ABI (rdx, rsp) stay as they are.
 */
function x64Code(address: number, entry: number): Buffer {
  const start = [
    ...[0x48, 0x8b, 0x04, 0x24], // mov rax, [rsp]
    ...[0x48, 0x8d, 0x74, 0xc4, 0x10], // lea rsi, [rsp + rax * 8 + 16]
  ];
  const compares = (toHide: number) =>
    HIDDEN_PREFIXES.flatMap((it, i) => [
      ...[0x3d, ...word(prefixValue(it) * 0x100)], // cmp eax, prefix
      ...[0x74, toHide - (i + 1) * 7], // je hide
    ]);
  const comparesBytes = compares(0).length;
  const load = [
    ...[0x8b, 0x07], // mov eax, [rdi]
    ...[0xc1, 0xe0, 0x08], // shl eax, 8
  ];
  const hide = [0x80, 0x0f, 0x20]; // or byte [rdi], 0x20
  const step = [
    ...[0x48, 0x8b, 0x3e], // next: mov rdi, [rsi]
    ...[0x48, 0x83, 0xc6, 0x08], // add rsi, 8
    ...[0x48, 0x85, 0xff], // test rdi, rdi
    ...[0x74, load.length + comparesBytes + 2 + hide.length + 2], // je done
  ];
  const body = [...step, ...load, ...compares(comparesBytes + 2)];
  const backBytes = body.length + 2;
  const farthestBytes = backBytes + hide.length + 2;
  if (farthestBytes > 128) throw new Error("unreachable: too many prefixes for a short jump");
  const loop = [
    ...body,
    ...[0xeb, -backBytes], // jmp next
    ...hide,
    ...[0xeb, -farthestBytes], // jmp next
  ];
  const end = address + start.length + loop.length + 5;
  return Buffer.from([...start, ...loop, ...[0xe9, ...word(entry - end)]]); // done: jmp entry
}

/** The same for arm64, where x0 and sp have a meaning by the ABI. */
function arm64Code(address: number, entry: number): Buffer {
  const step = 2; // instructions before `next`, which is the third
  const compare = 7;
  const hide = compare + HIDDEN_PREFIXES.length * 4 + 1;
  const done = hide + 4;
  const jumpTo = (target: number, from: number) => 0x14000000 + ((target - from) & 0x3ffffff);
  const compares = HIDDEN_PREFIXES.flatMap((it, i) => [
    0x5280000c + (prefixValue(it) % 0x10000) * 0x20, // mov w12, prefix
    0x72a0000c + Math.floor(prefixValue(it) / 0x10000) * 0x20, // movk w12, prefix, lsl 16
    0x6b0c017f, // cmp w11, w12
    0x54000000 + (hide - (compare + i * 4 + 3)) * 0x20, // b.eq hide
  ]);
  const code = [
    0xf94003e9, // ldr x9, [sp]
    0x8b296fe9, // add x9, sp, x9, lsl 3
    0x91004129, // add x9, x9, 16
    0xf840852a, // next: ldr x10, [x9], 8
    0xb400000a + (done - 4) * 0x20, // cbz x10, done
    0xb940014b, // ldr w11, [x10]
    0x12005d6b, // and w11, w11, 0xffffff
    ...compares,
    jumpTo(step + 1, hide - 1), // b next
    0x3940014b, // hide: ldrb w11, [x10]
    0x321b016b, // orr w11, w11, 0x20
    0x3900014b, // strb w11, [x10]
    jumpTo(step + 1, hide + 3), // b next
    jumpTo(entry / 4, address / 4 + done), // done: b entry
  ];
  return Buffer.from(code.flatMap(word));
}

/** The three characters as a little-endian number: the first one is lowest. */
function prefixValue(prefix: string): number {
  return Buffer.from(prefix, "latin1").readUIntLE(0, 3);
}

/** A 32-bit number in two's complement, lowest byte first. */
function word(value: number): readonly number[] {
  return [0, 8, 16, 24].map((it) => (value >> it) & 0xff);
}
