import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, onTestFinished, test } from "vitest";
import { FILE_TYPES, formatFileHeader, objectPath, sha256 } from "../../ostree/objects.ts";
import { createScratch, type Scratch } from "../../repository/scratch.ts";
import { createObjectWriter, type NewFile, type ObjectWriter } from "./write-objects.ts";

const OWNER = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
const META = { ...OWNER, mode: 0o644, xattrs: [] };
/** Of these sizes, one is written when it is whole and one while it comes. */
const SIZES = [
  ["small", 5],
  ["large", 200_000],
] as const;
/** No file system takes an attribute without a namespace. */
const IMPOSSIBLE = [{ name: "impossible", value: Buffer.of(1) }];

let repo: string;
beforeEach(() => {
  repo = mkdtempSync(join(tmpdir(), "bootc-objects-"));
});
afterEach(() => rmSync(repo, { recursive: true }));

interface Bed {
  readonly scratch: Scratch;
  readonly writer: ObjectWriter;
  /** Writes one file in two pieces; its checksum. */
  write(content: Buffer, more?: Partial<NewFile>): Promise<string>;
  pathOf(checksum: string): string;
  /** Puts an object where a repository has it; its path there. */
  arrange(checksum: string): string;
  /** All files beside the objects of directories, and their folders. */
  files(): readonly string[];
}

async function makeBed({ shared = repo, reserveBytes = 0 } = {}): Promise<Bed> {
  const scratch = await createScratch(repo, "bare");
  const writer = createObjectWriter({ scratch, shared, reserveBytes });
  return {
    scratch,
    writer,
    async write(content, more = {}) {
      const file = writer.file({ ...META, sizeBytes: content.length, ...more });
      const half = content.length >> 1;
      for (const piece of [content.subarray(0, half), content.subarray(half)]) file.write(piece);
      try {
        return file.end();
      } finally {
        await writer.settle();
      }
    },
    pathOf: (checksum) => scratch.pathOf(checksum, "file"),
    arrange(checksum) {
      const path = join(scratch.top, objectPath(checksum, "file"));
      mkdirSync(dirname(path), { recursive: true });
      renameSync(scratch.pathOf(checksum, "file"), path);
      return path;
    },
    files() {
      const all = readdirSync(scratch.top, { recursive: true, withFileTypes: true });
      const names = all.filter((it) => !it.isDirectory()).map((it) => it.name);
      return names.filter((it) => it.endsWith(".file") || it.startsWith("large-"));
    },
  };
}

test.each(SIZES)("a %s file is an object with its owner, mode and time", async (_, length) => {
  const { write, pathOf, files } = await makeBed();
  const content = Buffer.alloc(length, "x");
  const before = process.umask(0o777);
  const checksum = await write(content, { mode: 0o4751 }).finally(() => process.umask(before));
  const header = { ...META, mode: FILE_TYPES.regular | 0o4751, symlinkTarget: "" };
  expect(checksum).toBe(sha256(formatFileHeader(header), content));
  const found = lstatSync(pathOf(checksum));
  expect(found).toMatchObject({ ...OWNER, mode: FILE_TYPES.regular | 0o4751, mtimeMs: 0 });
  expect(readFileSync(pathOf(checksum)).equals(content)).toBe(true);
  expect(files()).toHaveLength(1);
});

test.each(SIZES)("a %s file that comes twice is one object", async (_, length) => {
  const { write, files } = await makeBed();
  const content = Buffer.alloc(length, "x");
  expect(await write(content)).toBe(await write(content));
  expect(files()).toHaveLength(1);
});

test("files with the same content and other modes are other objects, in any order", async () => {
  const { write, files } = await makeBed();
  const checksums: string[] = [];
  for (const mode of [0o644, 0o755, 0o644]) {
    checksums.push(await write(Buffer.from("x"), { mode }));
  }
  expect(checksums[2]).toBe(checksums[0]);
  expect(files()).toHaveLength(2);
});

test.each(SIZES)("a %s file that the repository has is linked, not written", async (_, length) => {
  const other = await makeBed();
  const content = Buffer.alloc(length, "x");
  const checksum = await other.write(content);
  const known = other.arrange(checksum);
  const { write, pathOf, files } = await makeBed({ shared: other.scratch.top });
  expect(await write(content)).toBe(checksum);
  expect(lstatSync(pathOf(checksum)).ino).toBe(lstatSync(known).ino);
  expect(files()).toHaveLength(1);
});

/** Nothing can be linked from there to the temporary directory, as from a repository with too many links. */
const ELSEWHERE = "/dev/shm";

test.for(SIZES)("a %s file that cannot be linked is written", async ([, length], { skip }) => {
  if (!existsSync(ELSEWHERE) || statSync(ELSEWHERE).dev === statSync(repo).dev) skip("one disk");
  const shared = mkdtempSync(join(ELSEWHERE, "bootc-objects-"));
  onTestFinished(() => rmSync(shared, { recursive: true }));
  const content = Buffer.alloc(length, "x");
  const { write, pathOf } = await makeBed({ shared });
  const header = { ...META, mode: FILE_TYPES.regular | 0o644, symlinkTarget: "" };
  const known = join(shared, objectPath(sha256(formatFileHeader(header), content), "file"));
  mkdirSync(dirname(known), { recursive: true });
  writeFileSync(known, content);
  expect(readFileSync(pathOf(await write(content))).equals(content)).toBe(true);
});

test("a symbolic link is an object, which is linked where the repository has it", async () => {
  const other = await makeBed();
  const checksum = other.writer.symlink(META, "target");
  const mode = FILE_TYPES.symlink | 0o777;
  expect(checksum).toBe(sha256(formatFileHeader({ ...META, mode, symlinkTarget: "target" })));
  expect(other.writer.symlink(META, "target")).toBe(checksum);
  const known = other.arrange(checksum);
  const { writer, pathOf } = await makeBed({ shared: other.scratch.top });
  writer.symlink(META, "target");
  expect(lstatSync(pathOf(checksum)).ino).toBe(lstatSync(known).ino);
});

test.each(SIZES)("a %s file that cannot have its attributes leaves nothing", async (_, length) => {
  const { writer, write, files } = await makeBed();
  if (!writer.takesXattrs) return;
  const written = write(Buffer.alloc(length), { xattrs: IMPOSSIBLE }).then(() => writer.drain());
  await expect(written).rejects.toThrow();
  expect(files()).toEqual([]);
});

test("a symbolic link that cannot have its attributes leaves nothing", async () => {
  const { writer, files } = await makeBed();
  if (!writer.takesXattrs) return;
  expect(() => writer.symlink({ ...OWNER, xattrs: IMPOSSIBLE }, "target")).toThrow();
  expect(files()).toEqual([]);
});

test.each(SIZES)("a %s file of which no more comes leaves nothing", async (_, length) => {
  const { writer, files } = await makeBed();
  const file = writer.file({ ...META, sizeBytes: length });
  file.write(Buffer.of(1));
  file.abandon();
  await writer.settle();
  expect(files()).toEqual([]);
  expect(writer.takenBytes()).toBe(1);
});

test("what ostree keeps free stays free: nothing is written beyond it", async () => {
  const { blocks, bsize } = statfsSync(repo);
  const { write, files } = await makeBed({ reserveBytes: blocks * bsize });
  await expect(write(Buffer.from("some"))).rejects.toMatchObject({
    kind: "space",
    message: expect.stringContaining("min-free-space"),
  });
  expect(files()).toEqual([]);
});

test("where nothing has to stay free, the room that is there is used", async () => {
  const { write, files } = await makeBed();
  await write(Buffer.from("some"));
  expect(files()).toHaveLength(1);
});
