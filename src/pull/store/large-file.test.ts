import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createLargeFiles } from "./large-file.ts";

let top: string;
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), "large-file-"));
});
afterEach(() => rmSync(top, { recursive: true, force: true }));

const PIECE = Buffer.alloc(3 << 20, "x");

test("files get their names with all that was appended, in order", async () => {
  const files = createLargeFiles();
  for (const name of ["a", "b"]) {
    const file = files.create(join(top, `temporary-${name}`));
    for (let i = 0; i < 3; i++) {
      file.append(PIECE);
      file.append(Buffer.from(`${name}${i}`));
      await files.drain();
    }
    file.end(join(top, name), () => {});
  }
  await files.settle();
  expect(readdirSync(top)).toEqual(["a", "b"]);
  const content = readFileSync(join(top, "b"));
  expect(content.length).toBe(3 * (PIECE.length + 2));
  expect(content.subarray(PIECE.length, PIECE.length + 2).toString()).toBe("b0");
  expect(content.subarray(-2).toString()).toBe("b2");
});

test("a file without a name is removed", async () => {
  const files = createLargeFiles();
  const file = files.create(join(top, "temporary"));
  file.append(PIECE);
  file.end(undefined, () => {});
  await files.settle();
  expect(readdirSync(top)).toEqual([]);
  await files.drain();
});

test("what goes wrong is thrown, and leaves no file of that name", async () => {
  const files = createLargeFiles();
  const file = files.create(join(top, "temporary"));
  file.append(PIECE);
  file.end(join(top, "a"), () => {
    throw new Error("no such owner");
  });
  await files.settle();
  await expect(files.drain()).rejects.toThrow("no such owner");
  expect(readdirSync(top)).not.toContain("a");
});
