import { describe, expect, test } from "vitest";
import { BootcError } from "../errors.ts";
import type { TarEntry } from "./entry.ts";
import { formatHeader, type NewHeader, paddingOf, writeChecksum } from "./header.ts";
import { createTarFilter, type Verdict } from "./reader.ts";

const END = Buffer.alloc(1024);

interface Options extends Partial<Omit<NewHeader, "records">> {
  readonly flag?: string;
  readonly records?: Readonly<Record<string, string>>;
  readonly content?: string | Buffer;
}

/** An entry as the product writes it; then as the options say. */
function entry(name: string, { flag, records = {}, content = "", ...more }: Options = {}): Buffer {
  const body = Buffer.from(content);
  const header = formatHeader({
    type: "file",
    name,
    linkName: "",
    mode: 0o644,
    uid: 0,
    gid: 0,
    sizeBytes: body.length,
    ...more,
    records: Object.entries(records).map(([key, value]) => [key, Buffer.from(value)]),
  });
  const block = header.subarray(-512);
  if (flag !== undefined) block.write(flag, 156, "latin1");
  writeChecksum(block);
  return Buffer.concat([header, body, Buffer.alloc(paddingOf(body.length))]);
}

const KEEP_OR_DROP = (it: TarEntry): Verdict => ({ kind: it.plainBlock ? "keep" : "drop" });

/** The entries of a tar that comes in pieces of `size` bytes. */
function entriesOf(tar: Buffer, size = tar.length): readonly TarEntry[] {
  const entries: TarEntry[] = [];
  const filter = createTarFilter((it) => {
    entries.push(it);
    return KEEP_OR_DROP(it);
  });
  for (let at = 0; at < tar.length; at += size) filter.feed(tar.subarray(at, at + size));
  filter.end();
  return entries;
}

function refusalOf(...parts: readonly Buffer[]): string {
  try {
    entriesOf(Buffer.concat([...parts, END]));
  } catch (error) {
    if (error instanceof BootcError && error.kind === "integrity") return error.message;
    throw error;
  }
  return "not refused";
}

/** An extended header of its own. */
function extension(flag: string, content: string): Buffer {
  return entry("extension", { flag, content });
}

function pax(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  const length = [1, 2, 3].map((it) => it + rest.length).find((it, i) => `${it}`.length === i + 1);
  return `${length}${rest}`;
}

test.each([0o777, 0o755, 0])("a symbolic link has the mode 0777, not %o", (mode) => {
  const tar = Buffer.concat([entry("a", { type: "symlink", linkName: "b", mode }), END]);
  const [link] = entriesOf(tar);
  expect(link).toMatchObject({ type: "symlink", linkPath: "b", mode: 0o777 });
  expect(link?.plainBlock !== undefined).toBe(mode === 0o777);
});

describe("two extended headers for one entry", () => {
  const path = pax("path", "usr/x");
  const X = extension("x", path);
  const NAME = extension("L", "usr/x\0");
  const FILE = entry("usr/short");

  test.each([
    ["two with records", [X, extension("x", pax("uid", "7"))]],
    ["one that is empty, and another", [extension("x", ""), X]],
    ["records, and then a global header", [X, extension("g", pax("comment", "c"))]],
    ["a long name, and then a global header", [NAME, extension("g", pax("comment", "c"))]],
    ["two long names", [NAME, extension("L", "usr/x\0")]],
    ["two long link targets", [NAME, extension("K", "usr/y\0"), extension("K", "usr/z\0")]],
    ["a `path` and a long name", [X, NAME]],
    ["a long name and a `path`", [NAME, X]],
    [
      "a `linkpath` and a long target",
      [extension("x", path + pax("linkpath", "a")), extension("K", "b\0")],
    ],
  ])("refused, naming the entry: %s", (_, headers) => {
    expect(refusalOf(entry("first"), ...headers, FILE)).toMatch(/`usr\/x`/);
  });

  test.each([
    ["long name and long target", [NAME, extension("K", "usr/y\0")]],
    ["a long name, and records about something else", [NAME, extension("x", pax("uid", "7"))]],
    ["a global header, and then records", [extension("g", pax("comment", "c")), X]],
    ["two global headers", [extension("g", pax("comment", "c")), extension("g", pax("a", "b")), X]],
  ])("read: %s", (_, headers) => {
    const tar = Buffer.concat([entry("first"), ...headers, FILE, entry("last"), END]);
    expect(entriesOf(tar).map((it) => it.path)).toEqual(["first", "usr/x", "last"]);
  });

  test("refused: an extended header without an entry", () => {
    expect(refusalOf(FILE, X)).toContain("cut off");
    expect(refusalOf(FILE, extension("x", pax("comment", "c")).subarray(0, 700))).toContain(
      "cut off",
    );
  });
});

describe("what container runtimes skip", () => {
  const A = entry("a", { content: "x" });
  const B = entry("b");

  test.each<[string, readonly Buffer[]]>([
    ["an empty extended header", [extension("x", ""), A, B]],
    ["an empty global header", [A, extension("g", ""), B]],
    ["what star says of the archive", [extension("g", pax("SCHILY.archtype", "exustar")), A, B]],
    ["a global comment, as git has it", [extension("g", pax("comment", "c")), A, B]],
    ["records without a value", [extension("x", pax("path", "") + pax("size", "")), A, B]],
    [
      "a record that takes another one back",
      [extension("x", pax("path", "c") + pax("path", "")), A, B],
    ],
    ["text after the end", [A, B, END, Buffer.from("text")]],
    ["blocks after the end", [A, B, END, Buffer.alloc(700, "x")]],
    ["another tar after the end", [A, B, END, entry("c"), END]],
  ])("%s", (_, parts) => {
    const tar = Buffer.concat([...parts, END]);
    for (const size of [tar.length, 512, 99]) {
      expect(entriesOf(tar, size).map((it) => [it.path, it.sizeBytes])).toEqual([
        ["a", 1],
        ["b", 0],
      ]);
    }
  });

  test("an entry after one block of zeros is refused, as Go does", () => {
    expect(refusalOf(A, Buffer.alloc(512), B)).toContain("data after its end");
  });

  test.each([
    "path",
    "linkpath",
    "size",
    "uid",
    "gid",
    "SCHILY.xattr.user.a",
    "LIBARCHIVE.xattr.user.a",
    "RHT.security.selinux",
    "GNU.sparse.map",
    "GNU.sparse.size",
  ])("but a global `%s` is refused", (key) => {
    expect(refusalOf(extension("g", pax(key, "1")), A)).toContain("global extended header");
  });

  test.each(["V", "D", "X", "M", "N", "A", "Q"])("but type %s is refused by its name", (flag) => {
    expect(refusalOf(A, entry("usr/odd", { flag }))).toMatch(
      new RegExp(`the type \`${flag}\`.*\`usr/odd\``),
    );
  });

  test("but a GNU long name without a name is refused", () => {
    expect(refusalOf(extension("L", ""), A)).toContain("impossible size");
  });
});

describe("numbers in records", () => {
  const ZEROS = "0".repeat(30);
  const read = (records: Readonly<Record<string, string>>) =>
    entriesOf(Buffer.concat([entry("a", { records, content: "xyz" }), END]))[0];

  test.each(["7", "007", `${ZEROS}7`])("an owner %s", (uid) => {
    expect(read({ uid, gid: uid })).toMatchObject({ uid: 7, gid: 7 });
  });

  test.each(["", "0", ZEROS])("a size %s3", (zeros) => {
    expect(read({ size: `${zeros}3` })?.sizeBytes).toBe(3);
  });

  test.each([
    ["uid", "-1"],
    ["uid", "+7"],
    ["uid", "0x7"],
    ["uid", "7 "],
    ["uid", "4294967295"],
    ["size", "-3"],
    ["size", "1e3"],
    ["size", "9".repeat(16)],
  ])("refused: %s=%s", (key, value) => {
    expect(refusalOf(entry("a", { records: { [key]: value } }))).not.toBe("not refused");
  });
});

test("an extended header larger than 8 MiB is refused before it is read", () => {
  const header = entry("extension", { flag: "x", content: " " }).subarray(0, 512);
  header.write("00050000001", 124, "latin1");
  writeChecksum(header);
  expect(refusalOf(header)).toContain("impossible size");
});

test.each([
  [10 << 20, "not refused"],
  [(10 << 20) + 1, "the layer's tar has an object of 10485761 bytes"],
])("what is collected whole has a limit: %i bytes", (length, expected) => {
  const tar = Buffer.concat([entry("a", { content: Buffer.alloc(length, "x") }), END]);
  let collected = -1;
  const filter = createTarFilter(() => ({
    kind: "collect",
    whenComplete(content) {
      collected = content.length;
      return [];
    },
  }));
  let outcome = "not refused";
  try {
    filter.feed(tar);
  } catch (error) {
    outcome = (error as Error).message;
  }
  expect(outcome).toBe(expected);
  expect(collected).toBe(expected === "not refused" ? length : -1);
});

describe("sparse files", () => {
  const OLD = {
    "GNU.sparse.size": "700",
    "GNU.sparse.numblocks": "2",
    "GNU.sparse.map": "3,2,10,4",
  };
  const NEW = { "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "700" };
  const MAP = Buffer.from("2\n3\n2\n10\n4\n".padEnd(512, "\0"));
  const EXPANDED = Buffer.alloc(700);
  EXPANDED.write("ab", 3);
  EXPANDED.write("cdef", 10);
  const LONG = `usr/${"x".repeat(150)}`;

  const FORMATS: readonly (readonly [string, readonly Buffer[]])[] = [
    [
      "0.0",
      [
        extension(
          "x",
          pax("GNU.sparse.size", "700") +
            pax("GNU.sparse.numblocks", "2") +
            pax("GNU.sparse.offset", "3") +
            pax("GNU.sparse.numbytes", "2") +
            pax("GNU.sparse.offset", "10") +
            pax("GNU.sparse.numbytes", "4") +
            pax("path", LONG),
        ),
        entry("usr/short", { content: "abcdef" }),
      ],
    ],
    [
      "0.1",
      [
        entry("GNUSparseFile.7/x", {
          records: { ...OLD, "GNU.sparse.name": LONG, path: `GNUSparseFile.7/${LONG}` },
          content: "abcdef",
        }),
      ],
    ],
    [
      "1.0",
      [
        entry("GNUSparseFile.7/x", {
          records: { ...NEW, "GNU.sparse.name": LONG },
          content: Buffer.concat([MAP, Buffer.from("abcdef")]),
        }),
      ],
    ],
  ];
  const cases = FORMATS.flatMap(([format, parts]) =>
    [1 << 16, 512, 100, 1].map((size) => ({ format, parts, size })),
  );

  /** What an entry between two others becomes by a verdict; zeros and what was skipped as bytes. */
  function filtered(parts: readonly Buffer[], size: number, verdict: (it: TarEntry) => Verdict) {
    const tar = Buffer.concat([entry("first"), ...parts, entry("last"), END]);
    const seen: TarEntry[] = [];
    const output: Buffer[] = [];
    const filter = createTarFilter((it) => {
      seen.push(it);
      return it.path === LONG ? verdict(it) : { kind: "drop" };
    });
    for (let at = 0; at < tar.length; at += size) {
      for (const part of filter.feed(tar.subarray(at, at + size))) {
        if (part instanceof Uint8Array) output.push(Buffer.from(part));
        else output.push(Buffer.alloc(part.length));
      }
    }
    filter.end();
    expect(seen.map((it) => it.path)).toEqual(["first", LONG, "last"]);
    expect(seen[1]).toMatchObject({ type: "file", sizeBytes: 700, plainBlock: undefined });
    return Buffer.concat(output);
  }

  const PADDED = Buffer.concat([EXPANDED, Buffer.alloc(1024 - 700)]);

  test.each(cases)("format $format in pieces of $size, passed on", ({ parts, size }) => {
    const header = Buffer.from("header");
    const tar = filtered(parts, size, () => ({ kind: "replace", header }));
    expect(tar).toEqual(Buffer.concat([header, PADDED]));
  });

  test.each(cases)("format $format in pieces of $size, collected", ({ parts, size }) => {
    const whenComplete = (content: Buffer) => [content];
    const tar = filtered(parts, size, () => ({ kind: "collect", whenComplete }));
    expect(tar).toEqual(EXPANDED);
  });

  test.each(cases)("format $format in pieces of $size, spooled", ({ parts, size }) => {
    const spooled: Buffer[] = [];
    filtered(parts, size, () => ({
      kind: "spool",
      write: (piece) => spooled.push(Buffer.from(piece)),
      skip: (bytes) => spooled.push(Buffer.alloc(bytes)),
    }));
    expect(Buffer.concat(spooled)).toEqual(PADDED);
  });

  test.each(cases)("format $format in pieces of $size, dropped", ({ parts, size }) => {
    expect(filtered(parts, size, () => ({ kind: "drop" }))).toHaveLength(0);
  });

  test("one that is a hole and nothing else", () => {
    const records = {
      "GNU.sparse.size": "700",
      "GNU.sparse.numblocks": "1",
      "GNU.sparse.map": "700,0",
      "GNU.sparse.name": LONG,
    };
    const header = Buffer.from("header");
    const tar = filtered([entry("x", { records })], 99, () => ({ kind: "replace", header }));
    expect(tar).toEqual(Buffer.concat([header, Buffer.alloc(1024)]));
  });

  test("a hole of a terabyte is one part of the output, and too large to be collected", () => {
    const records = { ...OLD, "GNU.sparse.size": String(2 ** 40) };
    const tar = Buffer.concat([entry("a", { records, content: "abcdef" }), END]);
    const filter = createTarFilter(() => ({ kind: "replace", header: Buffer.from("header") }));
    const parts = filter.feed(tar);
    expect(parts).toContainEqual({ kind: "zeros", length: 2 ** 40 - 14 });
    expect(parts.length).toBeLessThan(8);
    const collecting = createTarFilter(() => ({ kind: "collect", whenComplete: () => [] }));
    expect(() => collecting.feed(tar)).toThrow("an object of 1099511627776 bytes");
  });

  test("the old format is refused by its name", () => {
    expect(refusalOf(entry("usr/x", { flag: "S" }))).toContain("GNU sparse file");
    expect(refusalOf(entry("usr/x", { flag: "S" }))).toContain("`usr/x`");
  });

  test.each([
    ["a directory", entry("usr/x/", { type: "directory", records: OLD })],
    ["a directory by its name", entry("usr/x/", { records: OLD, content: "abcdef" })],
    ["a symbolic link", entry("usr/x/", { type: "symlink", linkName: "a", records: OLD })],
    ["a damaged map", entry("usr/x/", { records: { ...OLD, "GNU.sparse.map": "3,2,4,4" } })],
  ])("refused, naming it: %s", (_, blocks) => {
    expect(refusalOf(blocks)).toMatch(/sparse file `usr\/x\/`/);
  });

  test("refused: a GNU long name beside that of a sparse file", () => {
    const records = { ...OLD, "GNU.sparse.name": "usr/x" };
    const blocks = [extension("L", "usr/y\0"), entry("a", { records, content: "abcdef" })];
    expect(refusalOf(...blocks)).toContain("`usr/x`");
  });

  test.each([
    ["a length before an offset", pax("GNU.sparse.numbytes", "3") + pax("GNU.sparse.offset", "2")],
    ["two offsets", pax("GNU.sparse.offset", "3") + pax("GNU.sparse.offset", "2")],
    ["half a part", pax("GNU.sparse.offset", "3")],
    ["a comma", pax("GNU.sparse.offset", "3,2") + pax("GNU.sparse.numbytes", "2")],
    [
      "a map beside the parts",
      pax("GNU.sparse.map", "0,6") +
        pax("GNU.sparse.offset", "0") +
        pax("GNU.sparse.numbytes", "6"),
    ],
  ])("refused in format 0.0: %s", (_, parts) => {
    const records = pax("GNU.sparse.size", "700") + pax("GNU.sparse.numblocks", "1") + parts;
    const blocks = [extension("x", records), entry("a", { content: "abcdef" })];
    expect(refusalOf(...blocks)).toContain("a damaged extended header");
  });
});
