import { expect, test } from "vitest";
import { scriptedContext } from "../../testing/scripted-context.ts";
import { nextStateroot, resetInstall } from "./reset.ts";

test("without --experimental nothing happens", async () => {
  const { ctx } = scriptedContext("/nonexistent", []);
  await expect(resetInstall(ctx, { rootKargs: true })).rejects.toMatchObject({
    message: "This command requires --experimental",
    kind: "usage",
  });
});

test("a source is not ignored", async () => {
  const { ctx } = scriptedContext("/nonexistent", []);
  const options = { experimental: true, rootKargs: true, sourceImgref: "docker://a" };
  await expect(resetInstall(ctx, options)).rejects.toMatchObject({
    message: "`install reset` takes no `--source-imgref`",
    kind: "usage",
    hint: expect.stringContaining("--target-imgref"),
  });
});

test("a storage for an image that is not pulled is not ignored", async () => {
  const { ctx } = scriptedContext("/nonexistent", []);
  const options = { experimental: true, rootKargs: true, experimentalUnifiedStorage: true };
  await expect(resetInstall(ctx, options)).rejects.toMatchObject({
    message: "`--experimental-unified-storage` needs `--target-imgref`",
    kind: "usage",
    hint: expect.stringContaining("nothing is pulled"),
  });
});

const now = new Date("2026-11-28T23:00:00Z");

test.each([
  ["none yet", ["default"], "state-2026-0"],
  ["gaps are not filled", ["state-2026-0", "state-2026-10"], "state-2026-11"],
  ["those of other years do not count", ["state-2025-7"], "state-2026-0"],
  ["names of the user's do not count", ["state-2026-x", "my-state-2026-3"], "state-2026-0"],
])("the next stateroot: %s", (_about, names, want) => {
  expect(nextStateroot(names, { now })).toBe(want);
});

test.each([
  ["the highest is used again", ["state-2026-0", "state-2026-1"], "state-2026-1"],
  ["a lower one is not", ["state-2026-0"], "state-2026-2"],
])("of stateroots in which nothing ever ran, %s", (_about, unused, want) => {
  expect(nextStateroot(["state-2026-0", "state-2026-1"], { unused, now })).toBe(want);
});
