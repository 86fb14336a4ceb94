import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createSpool, type Spool } from "./spool.ts";

let top: string;
let spool: Spool;
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), "spool-"));
  spool = createSpool(join(top, "spool"));
});
afterEach(() => {
  spool.close();
  rmSync(top, { recursive: true, force: true });
});

test("content is read as it was written, skipped zeros with it", () => {
  spool.append(Buffer.from("first"));
  const start = spool.position();
  spool.skip(3);
  spool.append(Buffer.from("a"));
  spool.skip(600_000);
  const length = spool.position() - start;
  spool.append(Buffer.from("last"));
  const range = { start, length };
  const content = Buffer.concat([...spool.read(range)]);
  expect(content).toEqual(Buffer.concat([Buffer.from("\0\0\0a"), Buffer.alloc(600_000)]));
  expect(readdirSync(top)).toEqual([]);
});

test("zeros at the very end are there as well", () => {
  spool.skip(10);
  const range = { start: 0, length: spool.position() };
  expect(Buffer.concat([...spool.read(range)])).toEqual(Buffer.alloc(10));
});
