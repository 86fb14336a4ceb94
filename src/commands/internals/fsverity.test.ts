import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { BootcError } from "../../errors.ts";
import type { Context } from "../../system/context.ts";
import { scriptedContext } from "../../testing/scripted-context.ts";
import { fsverityEnable, fsverityMeasure } from "./fsverity.ts";

let dir = "";
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "fsverity-"));
  writeFileSync(join(dir, "empty"), "");
});
afterEach(() => rmSync(dir, { recursive: true }));

async function play(verb: (ctx: Context) => Promise<void>) {
  const { ctx, transcript } = scriptedContext("/", []);
  try {
    await verb(ctx);
    return transcript().trim();
  } catch (error) {
    if (!(error instanceof BootcError)) throw error;
    return `${error.kind}: ${error.message.replaceAll(dir, "DIR")}`;
  }
}

test("the digest is computed without protection", async () => {
  const digest = "3d248ca542a24fc62d1c43b916eae5016878e2533c88238480b26128a1f1af95";
  const file = join(dir, "empty");
  expect(await play((ctx) => fsverityMeasure(ctx, file, { compute: true }))).toBe(`> ${digest}`);
});

test("a file system without fs-verity is unsupported", async () => {
  const why = "its file system or the kernel has no fs-verity";
  const want = `unsupported: \`/proc/version\` cannot be handled by fs-verity: ${why}`;
  expect(await play((ctx) => fsverityMeasure(ctx, "/proc/version", {}))).toBe(want);
  expect(await play((ctx) => fsverityEnable(ctx, "/proc/version"))).toBe(want);
});

test("only a regular file has a digest, and nothing waits for a pipe", async () => {
  spawnSync("mkfifo", [join(dir, "pipe")]);
  for (const file of [dir, join(dir, "pipe"), "/dev/null"]) {
    const want = `usage: \`${file.replaceAll(dir, "DIR")}\` is not a regular file`;
    expect(await play((ctx) => fsverityMeasure(ctx, file, { compute: true }))).toBe(want);
    expect(await play((ctx) => fsverityEnable(ctx, file))).toBe(want);
  }
  expect(await play((ctx) => fsverityMeasure(ctx, join(dir, "none"), {}))).toBe(
    "failed: reading `DIR/none`",
  );
});
