// The pages of the program's own file that are in memory: code that ran once, such as that of the start,
// stays mapped until the kernel runs short.
import { readFileSync, readlinkSync } from "node:fs";
import { openLibrary } from "./ffi.ts";

const FUNCTIONS = { madvise: { arguments: ["u64", "u64", "i32"], return: "i32" } } as const;
const MADV_DONTNEED = 4;

/**
 * Unmaps the pages of the program's file. Those in use come back from the page cache. Does nothing where the
 * C library cannot be called.
 */
export function unmapProgramPages(): void {
  const libc = openLibrary(null, FUNCTIONS);
  if (libc === undefined) return;
  const smaps = readFileSync("/proc/self/smaps", "utf8");
  for (const { start, length } of constantRanges(smaps, readlinkSync("/proc/self/exe"))) {
    libc.functions.madvise(start, length, MADV_DONTNEED);
  }
}

export interface MemoryRange {
  readonly start: bigint;
  readonly length: bigint;
}

/** `559000-55a000 r-xp 0001000 fe:00 1234    /usr/bin/program`. */
const MAPPING = /^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \d+ +(.*)$/;

/**
 * The ranges in `smaps`, the content of /proc/PID/smaps, that are the same as in the file `program`. Those
 * that the loader has relocated have pages of their own and would lose them: "Anonymous", or "Swap" when
 * they are swapped out.
 */
export function constantRanges(smaps: string, program: string): readonly MemoryRange[] {
  const ranges: MemoryRange[] = [];
  let current: MemoryRange | undefined;
  for (const line of smaps.split("\n")) {
    const [, start, end, rights, path] = MAPPING.exec(line) ?? [];
    if (start !== undefined) {
      const from = BigInt(`0x${start}`);
      const isConstant = path === program && (rights === "r-xp" || rights === "r--p");
      current = isConstant ? { start: from, length: BigInt(`0x${end}`) - from } : undefined;
    } else if (/^(?:Anonymous|Swap): +[1-9]/.test(line)) {
      current = undefined;
    } else if (current !== undefined && /^Swap: +0 kB$/.test(line)) {
      // The later of the two lines.
      ranges.push(current);
    }
  }
  return ranges;
}
