import { constants, readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { anyText } from "../testing/any-text.ts";
import { contentChecksum, formatXattrs } from "../testing/objects.ts";
import { childTrees, formatDirtree, parseDirtree } from "./dirtree.ts";
import { formatVariant } from "./gvariant.ts";
import {
  EMPTY_TREE,
  EMPTY_TREE_BYTES,
  FILE_TYPES,
  formatCommit,
  formatDirmeta,
  objectPath,
  parseCommit,
  parseDirmeta,
  parseXattrs,
  sha256,
  textMetadata,
} from "./objects.ts";

interface Golden {
  readonly checksum: string;
  readonly kind: "commit" | "dirtree" | "dirmeta" | "file";
  readonly bytes?: string;
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
  readonly symlink?: string;
  readonly content?: string;
  readonly xattrs: Record<string, string>;
}

const golden = JSON.parse(
  readFileSync(new URL("fixtures/ostree-2022.7-objects.json", import.meta.url), "utf8"),
) as { commit: string; objects: Golden[] };

const rewrite = {
  commit: (it: Buffer) => formatCommit(parseCommit(it)),
  dirtree: (it: Buffer) => formatDirtree(parseDirtree(it)),
  dirmeta: (it: Buffer) => formatDirmeta(parseDirmeta(it)),
};

test.each(golden.objects.filter((it) => it.kind !== "file"))(
  "$kind $checksum of ostree 2022.7 is read and written back byte for byte",
  ({ kind, bytes = "", checksum }) => {
    const original = Buffer.from(bytes, "base64");
    const written = rewrite[kind as keyof typeof rewrite](original);
    expect(written).toEqual(original);
    expect(sha256(written)).toBe(checksum);
  },
);

test.each(golden.objects.filter((it) => it.kind === "file"))(
  "the content object $checksum of ostree 2022.7 has the checksum we compute",
  ({ symlink = "", content = "", checksum, xattrs, ...meta }) => {
    const header = {
      ...meta,
      symlinkTarget: symlink,
      xattrs: Object.entries(xattrs)
        .reverse()
        .map(([name, value]) => ({ name, value: Buffer.from(value, "base64") })),
    };
    expect(contentChecksum(header, Buffer.from(content, "base64"))).toBe(checksum);
  },
);

test("a commit's fields are read", () => {
  const bytes = golden.objects.find((it) => it.checksum === golden.commit)?.bytes ?? "";
  const commit = parseCommit(Buffer.from(bytes, "base64"));
  expect(commit.timestampEpoch).toBe(1700000001);
  expect(commit.subject).toBe("subject");
  expect(commit.body).toBe("body\né");
  expect(commit.parent).toMatch(/^[0-9a-f]{64}$/);
  expect(textMetadata(commit.metadata, "version")).toBe("1.2");
  expect(textMetadata(commit.metadata, "n")).toBeUndefined();
  expect(commit.metadata.find(([key]) => key === "n")?.[1]).toEqual({ type: "u", value: 7 });
});

test("the empty directory is one zero byte", () => {
  expect(formatDirtree({ files: [], dirs: [] })).toEqual(Buffer.from(EMPTY_TREE_BYTES));
  expect(sha256(EMPTY_TREE_BYTES)).toBe(EMPTY_TREE);
});

test("objects lie where ostree puts them", () => {
  expect(objectPath(EMPTY_TREE, "dirtree")).toBe(
    "objects/6e/340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d.dirtree",
  );
});

const checksum = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((it) => Buffer.from(it).toString("hex"));
const name = anyText({ minLength: 1, maxLength: 300 }).filter(
  (it) => !/[\0/]/.test(it) && it !== "." && it !== "..",
);
const byName = (a: { name: string }, b: { name: string }) =>
  Buffer.compare(Buffer.from(a.name), Buffer.from(b.name));

test("any directory survives being written and read", () => {
  const tree = fc.record({
    files: fc.uniqueArray(fc.record({ name, checksum }), { selector: (it) => it.name }),
    dirs: fc.uniqueArray(fc.record({ name, tree: checksum, meta: checksum }), {
      selector: (it) => it.name,
    }),
  });
  fc.assert(
    fc.property(tree, (it) => {
      expect(childTrees(formatDirtree(it))).toEqual(
        [...it.dirs].sort(byName).map((dir) => dir.tree),
      );
      expect(parseDirtree(formatDirtree(it))).toEqual({
        files: [...it.files].sort(byName),
        dirs: [...it.dirs].sort(byName),
      });
    }),
  );
});

test("a directory of 3000 entries needs wide offsets and survives", () => {
  const files = Array.from({ length: 3000 }, (_, i) => ({
    name: `file-${String(i).padStart(5, "0")}`,
    checksum: EMPTY_TREE,
  }));
  expect(parseDirtree(formatDirtree({ files, dirs: [] })).files).toEqual(files);
});

test("damaged directories are integrity errors, never anything else", () => {
  const original = golden.objects.filter((it) => it.kind === "dirtree");
  fc.assert(
    fc.property(
      fc.nat(),
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      fc.boolean(),
      (which, at, xor, cut) => {
        const it = Buffer.from(original[which % original.length]?.bytes ?? "", "base64");
        it[at % it.length] = (it[at % it.length] ?? 0) ^ xor;
        try {
          parseDirtree(cut ? it.subarray(0, at % it.length) : it);
        } catch (error) {
          expect(error).toMatchObject({ kind: "integrity" });
        }
      },
    ),
    { numRuns: 500 },
  );
});

test("any extended attributes survive, sorted by name", () => {
  const xattr = fc.record({
    name: fc.stringMatching(/^[a-z.]{1,20}$/),
    value: fc.uint8Array({ maxLength: 400 }),
  });
  fc.assert(
    fc.property(fc.uniqueArray(xattr, { selector: (it) => it.name }), (xattrs) => {
      const sorted = [...xattrs].sort((a, b) => (a.name < b.name ? -1 : 1));
      const read = parseXattrs(formatXattrs(xattrs)).map((it) => ({
        name: it.name,
        value: Uint8Array.from(it.value),
      }));
      expect(read).toEqual(sorted);
    }),
  );
});

test.each([
  ["of the parent", { parent: "ab".repeat(31) }],
  ["of the root", { rootTree: "ab".repeat(33) }],
  ["of the root's metadata", { rootMeta: "" }],
])("a commit whose checksum %s has another length is damaged", (_, damage) => {
  const commit = {
    metadata: [],
    parent: undefined,
    subject: "",
    body: "",
    timestampEpoch: 0,
    rootTree: EMPTY_TREE,
    rootMeta: EMPTY_TREE,
  };
  expect(parseCommit(formatCommit(commit))).toEqual(commit);
  expect(() => parseCommit(formatCommit({ ...commit, ...damage }))).toThrow(
    expect.objectContaining({ kind: "integrity" }),
  );
});

test("attributes are read back in the order of their names", () => {
  const xattrs = ["user.b", "user.a"].map((it) => ({ name: it, value: Buffer.from(it) }));
  expect(parseXattrs(formatXattrs(xattrs))).toEqual(xattrs.toReversed());
});

test.each([
  ["no name", ""],
  ["a zero alone", "\0"],
  ["no zero at the end", "user.a"],
  ["a zero in the middle", "user\0a\0"],
])("an attribute with %s is damaged", (_, name) => {
  const bytes = formatVariant("a(ayay)", [[Buffer.from(name), Buffer.from("v")]]);
  expect(() => parseXattrs(bytes)).toThrow(expect.objectContaining({ kind: "integrity" }));
});

test("types are those of the kernel", () => {
  expect(FILE_TYPES).toEqual({
    directory: constants.S_IFDIR,
    regular: constants.S_IFREG,
    symlink: constants.S_IFLNK,
  });
});
