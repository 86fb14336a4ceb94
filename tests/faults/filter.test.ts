// Runs the filter as the kernel does, for calls that it must and must not ask about.
import { expect, test } from "vitest";
import { CALLS } from "./calls.ts";
import { formatFilter } from "./filter.ts";

const ARCH = 0xc000003e;
const ASKED = 0x7fc00000;
const ALLOWED = 0x7fff0000;

/** Interprets the instructions that the filter uses. */
function judge(number: number, args: readonly number[], arch = ARCH): number {
  const program = formatFilter();
  const data = Buffer.alloc(64);
  data.writeUInt32LE(number, 0);
  data.writeUInt32LE(arch, 4);
  args.forEach((it, i) => void data.writeUInt32LE(it, 16 + 8 * i));
  let loaded = 0;
  for (let at = 0; ; at += 8) {
    const [code, value] = [program.readUInt16LE(at), program.readUInt32LE(at + 4)];
    if (code === 0x06) return value;
    if (code === 0x20) loaded = data.readUInt32LE(value);
    else {
      const isTrue = code === 0x15 ? loaded === value : (loaded & value) !== 0;
      at += 8 * program.readUInt8(at + (isTrue ? 2 : 3));
    }
  }
}

const [RDONLY, RDWR, CREAT] = [0, 2, 0o100];

test.each([
  { what: "a write", number: CALLS.write.number, args: [4], want: ASKED },
  { what: "a read", number: 0, args: [4], want: ALLOWED },
  { what: "opening to read", number: CALLS.openat.number, args: [3, 0, RDONLY], want: ALLOWED },
  { what: "opening to write", number: CALLS.openat.number, args: [3, 0, RDWR], want: ASKED },
  { what: "making a file", number: CALLS.openat.number, args: [3, 0, CREAT], want: ASKED },
  { what: "a terminal's size", number: CALLS.ioctl.number, args: [1, 0x5413], want: ALLOWED },
  { what: "flags of a file", number: CALLS.ioctl.number, args: [3, 0x40086602], want: ASKED },
  { what: "the last in the list", number: CALLS.fchmodat2.number, args: [], want: ASKED },
])("$what", ({ number, args, want }) => {
  expect(judge(number, args)).toBe(want);
});

test("calls of another architecture have other numbers", () => {
  expect(judge(CALLS.write.number, [4], 0x40000003)).toBe(ALLOWED);
});
