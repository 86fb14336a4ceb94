import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { lookAtCopy } from "./cut-look.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "bootc-test-"));
});
afterEach(() => rm(dir, { recursive: true }));

test("a disk that cannot be looked at is a problem, and its copy is removed", async () => {
  const copy = join(dir, "disk.copy");
  await writeFile(copy, "no partitions");
  expect(await lookAtCopy(copy)).toEqual([
    expect.stringMatching(/^the disk cannot be looked at: .*sfdisk/),
  ]);
  expect(await readdir(dir)).toEqual([]);
});

test("so is a copy that cannot be removed, beside the first", async () => {
  expect(await lookAtCopy(join(dir, "missing.copy"))).toEqual([
    expect.stringMatching(/^the disk cannot be looked at: .*sfdisk/),
    expect.stringMatching(/^the disk cannot be put away: ENOENT/),
  ]);
});
