import { readFileSync } from "node:fs";
import { afterEach, expect, test } from "vitest";
import { constantRanges, unmapProgramPages } from "./program-pages.ts";

afterEach(() => {
  delete process.env.BOOTC_WITHOUT_FFI;
});

function residentFileKib(): number {
  const status = readFileSync("/proc/self/status", "utf8");
  return Number(/^RssFile:\s+(\d+) kB$/m.exec(status)?.[1]);
}

test("pages that the start has needed are no longer in memory, and the program goes on", () => {
  // Every byte of a program that just started may be in use, so measure while nothing runs in between.
  const before = residentFileKib();
  unmapProgramPages();
  const after = residentFileKib();
  expect(after).toBeLessThan(before / 2);
  expect(JSON.parse('{"a":1}')).toEqual({ a: 1 });
});

test("with the door shut, nothing happens", () => {
  process.env.BOOTC_WITHOUT_FFI = "1";
  expect(() => unmapProgramPages()).not.toThrow();
});

const SMAPS = `\
00400000-0082e000 r--p 00000000 fe:00 1234                               /usr/bin/bootc
Rss:                4280 kB
Anonymous:             0 kB
Swap:                  0 kB
0082e000-03489000 r-xp 0042e000 fe:00 1234                               /usr/bin/bootc
Rss:               37092 kB
Anonymous:             0 kB
Swap:                  0 kB
072a7000-072dc000 r--p 06ea7000 fe:00 1234                               /usr/bin/bootc
Rss:                 212 kB
Anonymous:           212 kB
Swap:                  0 kB
072dc000-07311000 r--p 06edc000 fe:00 1234                               /usr/bin/bootc
Rss:                   0 kB
Anonymous:             0 kB
Swap:                212 kB
SwapPss:             212 kB
07311000-0733d000 rw-p 06f11000 fe:00 1234                               /usr/bin/bootc
Rss:                 176 kB
Anonymous:             0 kB
Swap:                  0 kB
0f542000-0fb30000 rw-p 00000000 00:00 0                                  [heap]
Anonymous:             0 kB
Swap:                  0 kB
7f1900000000-7f1900155000 r-xp 00026000 fe:00 99                         /usr/lib/libc.so.6
Anonymous:             0 kB
Swap:                  0 kB
7f1a00000000-7f1a00001000 rw-p 00000000 00:00 0 
Anonymous:             0 kB
Swap:                  0 kB
`;

test("neither relocated nor writable pages are let go, nor those of libraries", () => {
  expect(constantRanges(SMAPS, "/usr/bin/bootc")).toEqual([
    { start: 0x400000n, length: 0x42e000n },
    { start: 0x82e000n, length: 0x2c5b000n },
  ]);
});
