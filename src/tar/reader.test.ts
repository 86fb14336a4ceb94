import { describe, expect, test } from "vitest";
import { BootcError } from "../errors.ts";
import type { TarEntry } from "./entry.ts";
import { formatHeader, type NewHeader, paddingOf, writeChecksum } from "./header.ts";
import { collectContent, type Hole, readTar, type TarItem } from "./reader.ts";

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

/** A tar that comes in pieces of `size` bytes. */
async function* piecesOf(tar: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < tar.length; at += size) yield tar.subarray(at, at + size);
}

function itemsOf(tar: Buffer, size = tar.length): AsyncGenerator<TarItem> {
  return readTar(piecesOf(tar, size), { needsEndMarker: false });
}

/** The entries of a tar; nobody takes their content. */
async function entriesOf(tar: Buffer, size = tar.length): Promise<readonly TarEntry[]> {
  const entries: TarEntry[] = [];
  for await (const { entry } of itemsOf(tar, size)) entries.push(entry);
  return entries;
}

async function refusalOf(...parts: readonly Buffer[]): Promise<string> {
  try {
    await entriesOf(Buffer.concat([...parts, END]));
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

test.each([0o777, 0o755, 0])("a symbolic link has the mode 0777, not %o", async (mode) => {
  const tar = Buffer.concat([entry("a", { type: "symlink", linkName: "b", mode }), END]);
  const [link] = await entriesOf(tar);
  expect(link).toMatchObject({ type: "symlink", linkPath: "b", mode: 0o777 });
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
  ])("refused, naming the entry: %s", async (_, headers) => {
    expect(await refusalOf(entry("first"), ...headers, FILE)).toMatch(/`usr\/x`/);
  });

  test.each([
    ["long name and long target", [NAME, extension("K", "usr/y\0")]],
    ["a long name, and records about something else", [NAME, extension("x", pax("uid", "7"))]],
    ["a global header, and then records", [extension("g", pax("comment", "c")), X]],
    ["two global headers", [extension("g", pax("comment", "c")), extension("g", pax("a", "b")), X]],
  ])("read: %s", async (_, headers) => {
    const tar = Buffer.concat([entry("first"), ...headers, FILE, entry("last"), END]);
    expect((await entriesOf(tar)).map((it) => it.path)).toEqual(["first", "usr/x", "last"]);
  });

  test("refused: an extended header without an entry", async () => {
    expect(await refusalOf(FILE, X)).toContain("cut off");
    expect(await refusalOf(FILE, extension("x", pax("comment", "c")).subarray(0, 700))).toContain(
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
  ])("%s", async (_, parts) => {
    const tar = Buffer.concat([...parts, END]);
    for (const size of [tar.length, 512, 99]) {
      expect((await entriesOf(tar, size)).map((it) => [it.path, it.sizeBytes])).toEqual([
        ["a", 1],
        ["b", 0],
      ]);
    }
  });

  test("an entry after one block of zeros is refused, as Go does", async () => {
    expect(await refusalOf(A, Buffer.alloc(512), B)).toContain("data after its end");
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
  ])("but a global `%s` is refused", async (key) => {
    expect(await refusalOf(extension("g", pax(key, "1")), A)).toContain("global extended header");
  });

  test.each(["V", "D", "X", "M", "N", "A", "Q"])(
    "but type %s is refused by its name",
    async (flag) => {
      expect(await refusalOf(A, entry("usr/odd", { flag }))).toMatch(
        new RegExp(`the type \`${flag}\`.*\`usr/odd\``),
      );
    },
  );

  test("but a GNU long name without a name is refused", async () => {
    expect(await refusalOf(extension("L", ""), A)).toContain("impossible size");
  });
});

describe("numbers in records", async () => {
  const ZEROS = "0".repeat(30);
  const read = async (records: Readonly<Record<string, string>>) =>
    (await entriesOf(Buffer.concat([entry("a", { records, content: "xyz" }), END])))[0];

  test.each(["7", "007", `${ZEROS}7`])("an owner %s", async (uid) => {
    expect(await read({ uid, gid: uid })).toMatchObject({ uid: 7, gid: 7 });
  });

  test.each(["", "0", ZEROS])("a size %s3", async (zeros) => {
    expect((await read({ size: `${zeros}3` }))?.sizeBytes).toBe(3);
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
  ])("refused: %s=%s", async (key, value) => {
    expect(await refusalOf(entry("a", { records: { [key]: value } }))).not.toBe("not refused");
  });
});

test("an extended header larger than 8 MiB is refused before it is read", async () => {
  const header = entry("extension", { flag: "x", content: " " }).subarray(0, 512);
  header.write("00050000001", 124, "latin1");
  writeChecksum(header);
  expect(await refusalOf(header)).toContain("impossible size");
});

test.each([
  [10 << 20, "not refused"],
  [(10 << 20) + 1, "the layer's tar has an object of 10485761 bytes"],
])("what is collected whole has a limit: %i bytes", async (length, expected) => {
  const tar = Buffer.concat([entry("a", { content: Buffer.alloc(length, "x") }), END]);
  let collected = -1;
  let outcome = "not refused";
  try {
    for await (const item of itemsOf(tar)) collected = (await collectContent(item)).length;
  } catch (error) {
    outcome = (error as Error).message;
  }
  expect(outcome).toBe(expected);
  expect(collected).toBe(expected === "not refused" ? length : -1);
});

describe("content", () => {
  const LARGE = Buffer.from(Array.from({ length: 3000 }, (_, i) => i % 251));
  const TAR = Buffer.concat([
    entry("empty"),
    entry("small", { content: "x" }),
    entry("block", { content: LARGE.subarray(0, 512) }),
    entry("large", { content: LARGE }),
    entry("last", { content: "y" }),
    END,
  ]);
  const SIZES = [TAR.length, 4096, 513, 512, 99, 1];

  test.each(SIZES)("is exactly that of the file, in pieces of %i", async (size) => {
    const found = new Map<string, Buffer>();
    for await (const item of itemsOf(TAR, size)) {
      found.set(item.entry.path, await collectContent(item));
    }
    expect([...found.keys()]).toEqual(["empty", "small", "block", "large", "last"]);
    expect(found.get("block")).toEqual(LARGE.subarray(0, 512));
    expect(found.get("large")).toEqual(LARGE);
    expect(found.get("last")).toEqual(Buffer.from("y"));
  });

  test.each(SIZES)("is skipped where nobody reads on, in pieces of %i", async (size) => {
    const found: string[] = [];
    for await (const { entry, content } of itemsOf(TAR, size)) {
      for await (const part of content) {
        if (Buffer.isBuffer(part)) found.push(`${entry.path} ${part[0]}`);
        break;
      }
    }
    expect(found).toEqual(["small 120", "block 0", "large 0", "last 121"]);
  });

  test.each([TAR.length, 513])("is not copied, in pieces of %i", async (size) => {
    for await (const { content } of itemsOf(TAR, size)) {
      for await (const part of content) expect((part as Buffer).buffer).toBe(TAR.buffer);
    }
  });

  test("that is cut off is refused where it is read", async () => {
    const large = async () => {
      for await (const item of itemsOf(TAR.subarray(0, 5000), 512)) await collectContent(item);
    };
    await expect(large()).rejects.toThrow("cut off");
  });
});

describe("the end marker", () => {
  const A = entry("a", { content: "x" });

  test.each([
    ["none", Buffer.alloc(0), false],
    ["one block", Buffer.alloc(512), true],
    ["two blocks", END, true],
  ])("%s", async (_, end, isMarked) => {
    const read = async (needsEndMarker: boolean) => {
      const tar = Buffer.concat([A, end]);
      for await (const _ of readTar(piecesOf(tar, 512), { needsEndMarker }));
      return "read";
    };
    expect(await read(false)).toBe("read");
    if (isMarked) expect(await read(true)).toBe("read");
    else await expect(read(true)).rejects.toThrow("no end marker");
  });

  test("is not asked for before the stream has ended", async () => {
    async function* failing(): AsyncGenerator<Buffer> {
      yield Buffer.concat([A, END]);
      throw new Error("damaged");
    }
    const read = async () => {
      for await (const _ of readTar(failing(), { needsEndMarker: true }));
    };
    await expect(read()).rejects.toThrow("damaged");
  });
});

test("a stream that nobody reads on is told so", async () => {
  let isTold = false;
  async function* pieces(): AsyncGenerator<Buffer> {
    try {
      yield entry("a");
      yield entry("b");
    } finally {
      isTold = true;
    }
  }
  for await (const _ of readTar(pieces(), { needsEndMarker: true })) break;
  expect(isTold).toBe(true);
});

describe("sparse files", async () => {
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

  /** The item between two others is given to `use`. */
  async function withItem<T>(
    { parts, size }: { readonly parts: readonly Buffer[]; readonly size: number },
    use: (item: TarItem) => Promise<T>,
  ): Promise<T | undefined> {
    const tar = Buffer.concat([entry("first"), ...parts, entry("last"), END]);
    const seen: TarEntry[] = [];
    let result: T | undefined;
    for await (const item of itemsOf(tar, size)) {
      seen.push(item.entry);
      if (item.entry.path === LONG) result = await use(item);
    }
    expect(seen.map((it) => it.path)).toEqual(["first", LONG, "last"]);
    expect(seen[1]).toMatchObject({ type: "file", sizeBytes: 700 });
    return result;
  }

  const partsOf = async ({ content }: TarItem) => {
    const parts: (Buffer | Hole)[] = [];
    for await (const part of content) parts.push(part);
    return parts;
  };
  const bytesOf = (parts: readonly (Buffer | Hole)[]) =>
    Buffer.concat(parts.map((it) => (Buffer.isBuffer(it) ? it : Buffer.alloc(it.length))));

  test.each(cases)("format $format in pieces of $size, part by part", async (it) => {
    const parts = (await withItem(it, partsOf)) ?? [];
    expect(bytesOf(parts)).toEqual(EXPANDED);
    const holes = parts.flatMap((it) => (Buffer.isBuffer(it) ? [] : [it.length]));
    expect(holes).toEqual([3, 5, 686]);
  });

  test.each(cases)("format $format in pieces of $size, collected", async (it) => {
    expect(await withItem(it, collectContent)).toEqual(EXPANDED);
  });

  test.each(cases)("format $format in pieces of $size, skipped", async (it) => {
    expect(await withItem(it, async () => true)).toBe(true);
  });

  test.each(cases)("format $format in pieces of $size, left in the middle", async (it) => {
    const first = await withItem(it, async ({ content }) => {
      for await (const part of content) return part;
    });
    expect(first).toEqual({ kind: "hole", length: 3 });
  });

  test("one that is a hole and nothing else", async () => {
    const records = {
      "GNU.sparse.size": "700",
      "GNU.sparse.numblocks": "1",
      "GNU.sparse.map": "700,0",
      "GNU.sparse.name": LONG,
    };
    const parts = await withItem({ parts: [entry("x", { records })], size: 99 }, partsOf);
    expect(parts).toEqual([{ kind: "hole", length: 700 }]);
  });

  test("a hole of a terabyte is one part, and too large to be collected", async () => {
    const records = { ...OLD, "GNU.sparse.size": String(2 ** 40) };
    const tar = Buffer.concat([entry("a", { records, content: "abcdef" }), END]);
    const read = async (use: (item: TarItem) => Promise<unknown>) => {
      for await (const item of itemsOf(tar)) return await use(item);
    };
    const parts = await read(partsOf);
    expect(parts).toContainEqual({ kind: "hole", length: 2 ** 40 - 14 });
    expect(parts).toHaveLength(5);
    await expect(read(collectContent)).rejects.toThrow("an object of 1099511627776 bytes");
  });

  test("a damaged map is refused where nobody takes the content, too", async () => {
    const blocks = [entry("usr/x", { records: NEW, content: Buffer.alloc(512) })];
    expect(await refusalOf(...blocks)).toMatch(/sparse file `usr\/x`/);
  });

  test("the old format is refused by its name", async () => {
    expect(await refusalOf(entry("usr/x", { flag: "S" }))).toContain("GNU sparse file");
    expect(await refusalOf(entry("usr/x", { flag: "S" }))).toContain("`usr/x`");
  });

  test.each([
    ["a directory", entry("usr/x/", { type: "directory", records: OLD })],
    ["a directory by its name", entry("usr/x/", { records: OLD, content: "abcdef" })],
    ["a symbolic link", entry("usr/x/", { type: "symlink", linkName: "a", records: OLD })],
    ["a damaged map", entry("usr/x/", { records: { ...OLD, "GNU.sparse.map": "3,2,4,4" } })],
  ])("refused, naming it: %s", async (_, blocks) => {
    expect(await refusalOf(blocks)).toMatch(/sparse file `usr\/x\/`/);
  });

  test("refused: a GNU long name beside that of a sparse file", async () => {
    const records = { ...OLD, "GNU.sparse.name": "usr/x" };
    const blocks = [extension("L", "usr/y\0"), entry("a", { records, content: "abcdef" })];
    expect(await refusalOf(...blocks)).toContain("`usr/x`");
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
  ])("refused in format 0.0: %s", async (_, parts) => {
    const records = pax("GNU.sparse.size", "700") + pax("GNU.sparse.numblocks", "1") + parts;
    const blocks = [extension("x", records), entry("a", { content: "abcdef" })];
    expect(await refusalOf(...blocks)).toContain("a damaged extended header");
  });
});
