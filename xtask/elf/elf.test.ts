import fc from "fast-check";
import { expect, test } from "vitest";
import { BootcError } from "../../src/errors.ts";
import { dropSections } from "./drop-sections.ts";
import { injectBlob } from "./inject.ts";
import { architectureOf, PT, parseElf } from "./read.ts";
import { sampleElf, segment } from "./sample.ts";

const BLOB = Buffer.from("a blob of 21 bytes ..");
const OTHER_BLOB = Buffer.from("the same program with other options");

test("parseElf gives segments, sections by name, and what sections refer to", () => {
  const elf = parseElf(sampleElf());
  expect(elf.segments.map((it) => it.type)).toEqual([6, 3, 1, 1, 4, 0x6474e551]);
  expect(elf.sections.map((it) => it.name)).toEqual([
    ".interp",
    ".note.ABI-tag",
    ".text",
    ".rela.plt",
    ".data",
    ".bss",
    ".comment",
  ]);
  expect(elf.sections[3]?.infoSection).toBe(elf.sections[2]);
});

test("architectureOf names the machine as Node does", () => {
  expect(architectureOf(sampleElf())).toBe("x64");
  expect(architectureOf(sampleElf({ machine: 183 }))).toBe("arm64");
});

test("dropSections keeps every mapped byte and program header, and drops the rest", () => {
  const before = sampleElf();
  const after = dropSections(before);
  const [old, kept] = [parseElf(before), parseElf(after)];
  expect(kept.segments).toEqual(old.segments);
  expect(kept.sections.map((it) => it.name)).not.toContain(".comment");
  expect(kept.sections).toHaveLength(old.sections.length - 1);
  for (const it of old.segments) {
    expect(bytesOf(after, it).subarray(64)).toEqual(bytesOf(before, it).subarray(64));
  }
  expect(after.includes("what nobody maps")).toBe(false);
  expect(after.length).toBeLessThan(before.length);
});

test("dropSections changes nothing the second time", () => {
  const once = dropSections(sampleElf());
  expect(dropSections(once)).toEqual(once);
});

test("injectBlob puts the blob into a note that a segment maps, and says so by the fuse", () => {
  const before = dropSections(sampleElf());
  const after = injectBlob(before, BLOB);
  const elf = parseElf(after);
  const [note] = elf.segments.filter((it) => it.type === PT.note);
  const found = notesOf(bytesOf(after, note ?? fail())).find((it) => it.name === "NODE_SEA_BLOB");
  expect(found?.content).toEqual(BLOB);
  const cover = elf.segments.find(
    (it) =>
      it.type === PT.load &&
      it.offset <= (note?.offset ?? 0) &&
      it.offset + it.fileBytes >= (note?.offset ?? 0) + (note?.fileBytes ?? 0),
  );
  expect(cover).toMatchObject({ flags: 4, align: 0x10000 });
  expect((cover?.address ?? 1) % 0x10000).toBe((cover?.offset ?? 0) % 0x10000);
  expect(after.includes("NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2:1")).toBe(true);
});

test("a second blob follows the first under the same name, and the guard grows", () => {
  const [one, two] = [injectBlob(sampleElf(), BLOB), injectBlob(sampleElf(), BLOB, OTHER_BLOB)];
  const [note] = parseElf(two).segments.filter((it) => it.type === PT.note);
  const blobs = notesOf(bytesOf(two, note ?? fail())).filter((it) => it.name === "NODE_SEA_BLOB");
  expect(blobs.map((it) => it.content)).toEqual([BLOB, OTHER_BLOB]);
  const guard = (bytes: Buffer) => parseElf(bytes).sections.find((it) => it.name === ".text.guard");
  expect(guard(two)?.sizeBytes).toBeGreaterThan(guard(one)?.sizeBytes ?? fail());
});

test("injectBlob leaves the old notes, the interpreter and the order of segments and sections", () => {
  const before = dropSections(sampleElf());
  const after = injectBlob(before, BLOB);
  const [old, elf] = [parseElf(before), parseElf(after)];
  const interp = (of: typeof elf) => of.segments.find((it) => it.type === PT.interp) ?? fail();
  expect(bytesOf(after, interp(elf))).toEqual(bytesOf(before, interp(old)));
  const note = (of: typeof elf) => of.segments.find((it) => it.type === PT.note) ?? fail();
  expect(notesOf(bytesOf(after, note(elf)))[0]).toEqual(notesOf(bytesOf(before, note(old)))[0]);
  const loads = elf.segments.filter((it) => it.type === PT.load).map((it) => it.address);
  expect(loads).toEqual(loads.toSorted((a, b) => a - b));
  expect(elf.sections.map((it) => it.name)).toEqual([
    ...old.sections.map((it) => it.name),
    ".note.node.sea",
    ".text.guard",
  ]);
  const phdr = elf.segments.find((it) => it.type === PT.phdr);
  expect(phdr).toMatchObject({ offset: 64, fileBytes: elf.segments.length * 56 });
});

test("the new segment's page holds nothing of the one before, even with pages of 64 KiB", () => {
  const { segments } = parseElf(injectBlob(sampleElf(), BLOB));
  const loads = segments.filter((it) => it.type === PT.load);
  const added = loads.at(-1) ?? fail();
  const before = loads.at(-2) ?? fail();
  expect(before.address + before.memoryBytes).toBeLessThanOrEqual(added.address);
  expect(added.address % 0x10000).toBe(0);
});

test("of the segments that begin where the new one begins, it comes first, for llvm-strip", () => {
  const { segments } = parseElf(injectBlob(sampleElf(), BLOB));
  const added = segments.findLast((it) => it.type === PT.load) ?? fail();
  expect(segments.find((it) => it.offset === added.offset)).toBe(added);
});

test.each([
  { machine: 62, jump: (at: number, entry: number) => [0xe9, ...int32(entry - at - 5)] },
  { machine: 183, jump: (at: number, entry: number) => int32(0x18000000 + (entry - at) / 4) },
])(
  "on machine $machine the program starts at the guard, whose end jumps to where it did before",
  ({ machine, jump }) => {
    const before = parseElf(sampleElf({ machine }));
    const after = parseElf(injectBlob(before.bytes, BLOB));
    const guard = after.sections.find((it) => it.name === ".text.guard") ?? fail();
    expect(entryOf(after.bytes)).toBe(guard.address);
    const host = after.segments.find((it) => (it.flags & 1) !== 0) ?? fail();
    expect(host.offset + host.fileBytes).toBe(guard.offset + guard.sizeBytes);
    expect(host.memoryBytes).toBe(host.fileBytes);
    const end = jump(0, 0).length;
    const last = after.bytes.subarray(0, guard.offset + guard.sizeBytes).subarray(-end);
    const from = guard.address + guard.sizeBytes - end;
    expect([...last]).toEqual(jump(from, entryOf(before.bytes)));
  },
);

function entryOf(bytes: Buffer): number {
  return Number(bytes.readBigUInt64LE(24));
}

function int32(value: number): readonly number[] {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return [...bytes];
}

test.each([
  { what: "text", bytes: Buffer.from("#!/bin/sh\n".padEnd(100)), says: "does not begin like one" },
  { what: "an empty file", bytes: Buffer.alloc(0), says: "does not begin like one" },
  { what: "another machine", bytes: sampleElf({ machine: 243 }), says: "machine 243" },
  {
    what: "no room for one more header",
    bytes: Buffer.from(
      injectBlob(sampleElf(), BLOB).toString("latin1").replace("1996b2:1", "1996b2:0"),
      "latin1",
    ),
    says: "`.text` is where the header would go",
  },
  { what: "no fuse", bytes: sampleElf({ fuse: "none" }), says: "no fuse" },
  {
    what: "a blob already",
    bytes: injectBlob(sampleElf(), BLOB),
    says: "already holds a blob",
  },
  {
    what: "two fuses",
    bytes: sampleElf({ fuse: "NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2:0".repeat(2) }),
    says: "two fuses",
  },
  {
    what: "two interpreters",
    bytes: sampleElf({ extra: [segment(PT.interp, 0x1000, 4, 1)] }),
    says: "it must have one interpreter, and has 2",
  },
  {
    what: "an entry point outside its code",
    bytes: sampleElf({ entry: 0x401000 }),
    says: "its entry point is in none of its segments",
  },
  {
    what: "no room for the guard in the file",
    bytes: sampleElf({ behindCode: "in the way" }),
    says: "no room behind its code",
  },
  {
    what: "no room for the guard in memory",
    bytes: sampleElf({ extra: [{ ...segment(PT.load, 0x1000, 4, 1), address: 0x400280 }] }),
    says: "no room behind its code",
  },
  {
    what: "cut off",
    bytes: sampleElf().subarray(0, 0x1000),
    says: "beyond its end",
  },
])("injectBlob refuses $what", ({ bytes, says }) => {
  const work = () => injectBlob(bytes, BLOB);
  expect(work).toThrow(BootcError);
  expect(work).toThrow(says);
});

test("any headers give an executable or a BootcError", () => {
  const good = sampleElf();
  const table = Number(good.readBigUInt64LE(40));
  const places = fc.oneof(
    fc.integer({ min: 0, max: 63 }),
    fc.integer({ min: 64, max: 64 + 6 * 56 - 1 }),
    fc.integer({ min: table, max: good.length - 1 }),
  );
  const change = fc.tuple(places, fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constant(255)));
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 12 }), (changes) => {
      const bytes = Buffer.from(good);
      for (const [at, value] of changes) bytes[at] = value;
      for (const edit of [dropSections, (it: Buffer) => injectBlob(it, BLOB)]) {
        const edited = editOrRefuse(() => edit(bytes));
        if (edited !== undefined) parseElf(edited);
      }
    }),
    { numRuns: 3000 },
  );
});

function editOrRefuse(edit: () => Buffer): Buffer | undefined {
  try {
    return edit();
  } catch (error) {
    expect(error).toBeInstanceOf(BootcError);
    return undefined;
  }
}

function bytesOf(
  bytes: Buffer,
  it: { readonly offset: number; readonly fileBytes: number },
): Buffer {
  return bytes.subarray(it.offset, it.offset + it.fileBytes);
}

function notesOf(bytes: Buffer): readonly { name: string; content: Buffer }[] {
  const notes: { name: string; content: Buffer }[] = [];
  for (let at = 0; at + 12 <= bytes.length; ) {
    const [nameBytes, contentBytes] = [bytes.readUInt32LE(at), bytes.readUInt32LE(at + 4)];
    const start = at + 12 + Math.ceil(nameBytes / 4) * 4;
    notes.push({
      name: bytes.toString("latin1", at + 12, at + 12 + nameBytes - 1),
      content: bytes.subarray(start, start + contentBytes),
    });
    at = start + Math.ceil(contentBytes / 4) * 4;
  }
  return notes;
}

function fail(): never {
  throw new Error("not there");
}
