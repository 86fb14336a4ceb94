// Code that runs before Node: it hides variables that our program must not obey, and takes away the
// compiler of V8 where the system forbids executable memory.
//
// Node, OpenSSL, libuv, ICU and simdutf read the environment while they start, some of them before
// `main`, so options of Node and code of the program come too late. Therefore the entry point becomes
// these few instructions: they go through the environment on the stack, change the first letter of each
// name that begins with one of the prefixes to lower case, and jump to the old entry point. The program
// restores the names for the programs it starts (src/system/hidden-environment.ts).
//
// V8 ends the process while it starts when it cannot have executable memory: in an SELinux domain
// without `execmem`, and under systemd's `MemoryDenyWriteExecute=`. Only its option `--jitless` avoids
// that, and options are in the blob. Therefore the executable may have a second blob, and the guard tries
// to map a page of such memory. Where that is refused, it changes a letter in the name of the first blob,
// so that Node finds the second.
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

/** The first of two notes with a blob, as the guard sees it. */
export interface FirstBlob {
  /** Where its segment begins in memory, on a boundary of the largest pages. */
  readonly segmentAddress: number;
  /** Where its name is, counted from there. */
  readonly nameAt: number;
}

/**
 * Finds room for the guard behind the code of `elf`, in the unused end of its last page. With `first`, the
 * guard chooses between two blobs.
 */
export function placeGuard(elf: Elf, first: FirstBlob | undefined): Guard {
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
  const code = guardCode(elf, { address, entry, first });
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

interface Task {
  readonly address: number;
  readonly entry: number;
  readonly first: FirstBlob | undefined;
}

function guardCode(elf: Elf, { address, entry, first }: Task): Buffer {
  const [choose, hide] =
    architectureOf(elf.bytes) === "arm64" ? [arm64Choice, arm64Code] : [x64Choice, x64Code];
  const choice = first === undefined ? Buffer.alloc(0) : choose(address, first);
  return Buffer.concat([choice, hide(address + choice.length, entry)]);
}

/** A page of memory that is readable, writable and executable, and one of the first two. */
const [PROT_READ, PROT_READ_WRITE, PROT_ALL] = [1, 3, 7];
const MAP_PRIVATE_ANONYMOUS = 0x22;
/** The kernel rounds it up to a whole page, whatever the size of pages. */
const PAGE_BYTES = 0x1000;

/**
 * Asks for a page of executable memory and gives it back. When the kernel refuses, the first letter of the
 * first blob's name becomes a small one, for which its segment is writable meanwhile. Should even that be
 * refused, everything stays as it is.
 */
function x64Choice(address: number, { segmentAddress, nameAt }: FirstBlob): Buffer {
  const syscall = (number: number) => [0xb8, ...word(number), 0x0f, 0x05]; // mov eax, number; syscall
  const ask = [
    ...[0x48, 0x89, 0xd3], // mov rbx, rdx
    ...[0x31, 0xff], // xor edi, edi
    ...[0xbe, ...word(PAGE_BYTES)], // mov esi, bytes
    ...[0xba, ...word(PROT_ALL)], // mov edx, rights
    ...[0x41, 0xba, ...word(MAP_PRIVATE_ANONYMOUS)], // mov r10d, flags
    ...[0x49, 0x83, 0xc8, 0xff], // or r8, -1
    ...[0x45, 0x31, 0xc9], // xor r9d, r9d
    ...syscall(9), // mmap
    ...[0x48, 0x85, 0xc0], // test rax, rax
  ];
  const giveBack = [
    ...[0x48, 0x89, 0xc7], // mov rdi, rax
    ...syscall(11), // munmap
  ];
  const write = [
    ...[0x80, 0x8f, ...word(nameAt), 0x20], // or byte [rdi + nameAt], 0x20
    ...[0xba, ...word(PROT_READ)], // mov edx, rights
    ...syscall(10), // mprotect
  ];
  const leaBytes = 7;
  const refusedAt = ask.length + 2 + giveBack.length + 2;
  const refused = [
    ...[0x48, 0x8d, 0x3d, ...word(segmentAddress - (address + refusedAt + leaBytes))], // lea rdi, [segment]
    ...[0xbe, ...word(nameAt + 1)], // mov esi, bytes
    ...[0xba, ...word(PROT_READ_WRITE)], // mov edx, rights
    ...syscall(10), // mprotect
    ...[0x85, 0xc0], // test eax, eax
    ...[0x75, write.length], // jne done
    ...write,
  ];
  return Buffer.from([
    ...ask,
    ...[0x78, giveBack.length + 2], // js refused
    ...giveBack,
    ...[0xeb, refused.length], // jmp done
    ...refused,
    ...[0x48, 0x89, 0xda], // done: mov rdx, rbx
  ]);
}

/** The same for arm64; x0 is kept in x19, and x9 has the segment. */
function arm64Choice(address: number, { segmentAddress, nameAt }: FirstBlob): Buffer {
  const move = (register: number, value: number) => 0x52800000 + value * 0x20 + register; // mov wN, value
  const syscall = (number: number) => [move(8, number), 0xd4000001]; // mov w8, number; svc 0
  const compareAndJump = (opcode: number, instructions: number) =>
    opcode + (instructions & 0x7ffff) * 0x20;
  const ask = [
    0xaa0003f3, // mov x19, x0
    move(0, 0),
    move(1, PAGE_BYTES),
    move(2, PROT_ALL),
    move(3, MAP_PRIVATE_ANONYMOUS),
    0x92800004, // mov x4, -1
    move(5, 0),
    ...syscall(222), // mmap
  ];
  const giveBack = syscall(215); // munmap; x1 still has the size
  const write = [
    0x91000000 + nameAt * 0x400 + 9 * 0x20 + 10, // add x10, x9, nameAt
    0x3940014b, // ldrb w11, [x10]
    0x321b016b, // orr w11, w11, 0x20
    0x3900014b, // strb w11, [x10]
    0xaa0903e0, // mov x0, x9
    move(2, PROT_READ),
    ...syscall(226), // mprotect
  ];
  const refusedAt = address + (ask.length + 1 + giveBack.length + 1) * 4;
  const refused = [
    pageAddress(9, segmentAddress, refusedAt), // adrp x9, segment
    0xaa0903e0, // mov x0, x9
    move(1, nameAt + 1),
    move(2, PROT_READ_WRITE),
    ...syscall(226), // mprotect
    compareAndJump(0x35000000, write.length + 1), // cbnz w0, done
    ...write,
  ];
  const code = [
    ...ask,
    0xb7f80000 + (giveBack.length + 2) * 0x20, // tbnz x0, 63, refused
    ...giveBack,
    0x14000000 + refused.length + 1, // b done
    ...refused,
    0xaa1303e0, // done: mov x0, x19
  ];
  return Buffer.from(code.flatMap(word));
}

/** `adrp`: the register gets the address of the 4 KiB page at `target`; `from` is the instruction's own. */
function pageAddress(register: number, target: number, from: number): number {
  const pages = Math.floor(target / 0x1000) - Math.floor(from / 0x1000);
  return 0x90000000 + (pages & 3) * 0x20000000 + ((pages >> 2) & 0x7ffff) * 0x20 + register;
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
