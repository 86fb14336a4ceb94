import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openDirectory } from "./file-tree.ts";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "file-tree-"));
  await writeFile(join(root, "file"), "text");
  await symlink("/file", join(root, "link"));
  await symlink("nowhere", join(root, "dangling"));
  await mkdir(join(root, "directory"));
  execFileSync("mkfifo", [join(root, "fifo")]);
});
afterEach(() => rm(root, { recursive: true }));

test.each(["file", "link"])("a %s gives its text", async (name) => {
  expect(await openDirectory(root).readText(name)).toBe("text");
  expect(await openDirectory(root).readTextIfAny(name)).toBe("text");
});

test.each(["missing", "dangling", "file/x", "directory", "fifo"])("a %s has none", async (name) => {
  expect(await openDirectory(root).readTextIfAny(name)).toBeUndefined();
  await expect(openDirectory(root).readText(name)).rejects.toThrow();
});
