import { chmod, mkdtemp, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { exists, readFileIfAny, readRegularFile, replaceFile } from "./files.ts";

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
