import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { scriptedContext } from "../testing/scripted-context.ts";
import { listHealthScripts } from "./health-script.ts";

test("a check can be masked, and what others leave behind is not a check", async () => {
  const root = mkdtempSync(join(tmpdir(), "bootc-checks-"));
  try {
    const [image, own] = ["usr/lib/bootc", "etc/bootc"].map((it) => {
      const dir = join(root, it, "health.d/required.d");
      mkdirSync(dir, { recursive: true });
      return dir;
    }) as [string, string];
    for (const name of ["10-a", "20-b", "20-b~", "30-c.rpmsave", ".hidden"]) {
      writeFileSync(join(image, name), "");
    }
    symlinkSync("/dev/null", join(own, "10-a"));
    const { ctx } = scriptedContext(root, []);
    expect(await listHealthScripts(ctx, "required")).toEqual([join(image, "20-b")]);
  } finally {
    rmSync(root, { recursive: true });
  }
});
