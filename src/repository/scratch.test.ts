// What is left of killed runs is removed; what cannot be looked for is an error.
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { makeWorkDirectory, removeWorkDirectories } from "./scratch.ts";

let repo: string;
beforeEach(async () => {
  repo = await mkdtemp(join(tmpdir(), "bootc-scratch-"));
});
afterEach(() => rm(repo, { recursive: true }));

test("the temporary directories of pulls go, those of others stay", async () => {
  const work = await makeWorkDirectory(repo);
  await writeFile(join(work, "spool"), "x");
  await mkdir(join(repo, "tmp/staging-of-ostree"));
  await removeWorkDirectories(repo);
  expect(await readdir(join(repo, "tmp"))).toEqual(["staging-of-ostree"]);
});

test("a repository without temporary directories has none to remove", async () => {
  await removeWorkDirectories(repo);
  expect(await readdir(repo)).toEqual([]);
});

test("a directory that cannot be read is an error, not an empty one", async () => {
  await writeFile(join(repo, "tmp"), "");
  await expect(removeWorkDirectories(repo)).rejects.toThrow("ENOTDIR");
});
