import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openNameless } from "./nameless-file.ts";
import { createContext } from "./run.ts";

test("a nameless file is in no folder, and a program that receives it reads it from its start", async () => {
  const dir = mkdtempSync(join(tmpdir(), "nameless-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const file = await openNameless(dir);
  await file.writeFile("secret");
  expect(readdirSync(dir)).toEqual([]);
  expect((await file.stat()).mode & 0o777).toBe(0o600);
  const ctx = createContext();
  const words = { descriptors: [file.fd] };
  expect(await ctx.read("cat", ["/proc/self/fd/3"], words)).toBe("secret");
  expect(await ctx.read("cat", ["/proc/self/fd/3"], words)).toBe("secret");
  await file.close();
});
