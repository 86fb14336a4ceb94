import { chmod, mkdtemp, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  exists,
  makeDirectories,
  makeDirectoriesSync,
  readDirectoryIfAny,
  readFileIfAny,
  readNamesIfAny,
  readRegularFile,
  removeFileSync,
  removeTreeSync,
  replaceFile,
} from "./files.ts";

test("a replaced file keeps its mode and leaves nothing beside it", async () => {
  const dir = await mkdtemp(join(tmpdir(), "files-"));
  const path = join(dir, "shadow");
  await writeFile(path, "old");
  await chmod(path, 0o600);
  await replaceFile(path, "new");
  expect(await readFile(path, "utf8")).toBe("new");
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await readdir(dir)).toEqual(["shadow"]);
});

test("names in a directory come sorted; only one of the functions rejects a file", async () => {
  const dir = await mkdtemp(join(tmpdir(), "files-"));
  for (const it of ["b", "a"]) await writeFile(join(dir, it), "");
  for (const read of [readNamesIfAny, readDirectoryIfAny]) {
    expect(await read(dir)).toEqual(["a", "b"]);
    expect(await read(join(dir, "none"))).toEqual([]);
  }
  expect(await readNamesIfAny(join(dir, "a"))).toEqual([]);
  await expect(readDirectoryIfAny(join(dir, "a"))).rejects.toThrow("ENOTDIR");
});

test("a new file gets the requested mode", async () => {
  const dir = await mkdtemp(join(tmpdir(), "files-"));
  await replaceFile(join(dir, "new"), "x", { mode: 0o640 });
  expect((await stat(join(dir, "new"))).mode & 0o777).toBe(0o640);
});

test("a failed replacement leaves the old file and nothing beside it", async () => {
  const dir = await mkdtemp(join(tmpdir(), "files-"));
  await expect(replaceFile(join(dir, "missing/file"), "x")).rejects.toThrow("ENOENT");
  expect(await readdir(dir)).toEqual([]);
});

test("a missing file is undefined, an unreadable one is an error", async () => {
  const dir = await mkdtemp(join(tmpdir(), "files-"));
  expect(await readFileIfAny(join(dir, "none"))).toBeUndefined();
  await expect(readFileIfAny(dir)).rejects.toThrow("EISDIR");
  expect(await exists(join(dir, "none"))).toBe(false);
});

test("a link to /dev/null is an empty file, and no other device is read", async () => {
  const dir = await mkdtemp(join(tmpdir(), "files-"));
  for (const name of ["null", "zero"]) await symlink(`/dev/${name}`, join(dir, name));
  expect(await readRegularFile(join(dir, "null"))).toBe("");
  expect(await readRegularFile(join(dir, "zero"))).toBeUndefined();
});

test.each([
  { how: "at once", make: async (path: string) => makeDirectoriesSync(path, 0o700) },
  { how: "asynchronously", make: (path: string) => makeDirectories(path, 0o700) },
])("directories are made with those above them, $how", async ({ make }) => {
  const dir = await mkdtemp(join(tmpdir(), "files-"));
  await make(join(dir, "a/b"));
  await make(join(dir, "a/b/c"));
  await make(join(dir, "a/b/c"));
  expect((await stat(join(dir, "a/b/c"))).mode & 0o777).toBe(0o700);
  await symlink("a", join(dir, "link"));
  await make(join(dir, "link"));
  await writeFile(join(dir, "file"), "");
  await expect(make(join(dir, "file"))).rejects.toMatchObject({ code: "EEXIST" });
  await expect(make(join(dir, "file/x/y"))).rejects.toMatchObject({ code: "ENOTDIR" });
  await symlink("loop", join(dir, "loop"));
  await expect(make(join(dir, "loop/x"))).rejects.toMatchObject({ code: "ELOOP" });
});

test("nothing of the product leaves directories above others to Node, which hides errors", async () => {
  const src = join(import.meta.dirname, "..");
  const paths = await readdir(src, { recursive: true });
  const product = paths.filter((it) => /(?<!\.test)\.ts$/.test(it) && !it.startsWith("testing/"));
  expect(product).toContain("system/files.ts");
  for (const path of product) {
    const text = await readFile(join(src, path), "utf8");
    expect(text, path).not.toMatch(/\bmkdir(Sync)?\([^;]*\brecursive: true/);
  }
});

test("a tree is removed without what its links lead to, a file only if it is one", async () => {
  const dir = await mkdtemp(join(tmpdir(), "files-"));
  makeDirectoriesSync(join(dir, "kept"));
  makeDirectoriesSync(join(dir, "tree/sub"));
  await symlink("../kept", join(dir, "tree/link"));
  await writeFile(join(dir, "tree/sub/file"), "");
  expect(() => removeFileSync(join(dir, "tree"))).toThrow("EISDIR");
  removeFileSync(join(dir, "tree/sub/file"));
  removeFileSync(join(dir, "tree/sub/file"));
  removeTreeSync(join(dir, "tree"));
  removeTreeSync(join(dir, "tree"));
  expect(await readdir(dir)).toEqual(["kept"]);
});
