import { expect, test } from "vitest";
import type { RunOptions } from "../../system/context.ts";
import { scriptedContext } from "../../testing/scripted-context.ts";
import { checkout, commitDirectory, parsePruned, pruneObjects, pullLocal } from "./repo.ts";

test("the output of `ostree prune` is understood", () => {
  expect(parsePruned("Total objects: 6\nDeleted 6 objects, 44.3\u00a0kB freed\n")).toEqual({
    objects: 6,
    size: "44.3 kB",
  });
  expect(parsePruned("Total objects: 0\nNo unreachable objects\n").objects).toBe(0);
  expect(() => parsePruned("what")).toThrow("was not understood");
});

test.each([
  { others: "Deleted 4 objects, 4.5 kB freed", pruned: { objects: 6, size: "4.5 kB" } },
  { others: "No unreachable objects", pruned: { objects: 2, size: "268 bytes" } },
])(
  "commits go before the objects of which they consist; then: $others",
  async ({ others, pruned }) => {
    const { ctx, requireAllUsed } = scriptedContext("/nowhere", [
      [
        "? ostree prune --repo=/r --refs-only --depth=0 --commit-only",
        "Deleted 2 objects, 268 bytes freed\n",
      ],
      ["? ostree prune --repo=/r --refs-only --depth=0", `${others}\n`],
    ]);
    expect(await pruneObjects(ctx, "/r")).toEqual(pruned);
    requireAllUsed();
  },
);

test("programs that write to a repository for a pull end with it", async () => {
  const repo = "/r";
  const started: RunOptions[] = [];
  const { ctx } = scriptedContext("/", []);
  const read = async (_program: string, _args: readonly string[], options: RunOptions = {}) => {
    started.push(options);
    return "0".repeat(64);
  };
  const noting = { ...ctx, read };
  await pullLocal(noting, repo, { scratch: "/s" });
  await checkout(noting, { repo, commit: "c", directory: "/d", args: [] });
  await commitDirectory(noting, { repo, ref: "r", directory: "/d", args: [] });
  expect(started).toEqual(Array.from({ length: 3 }, () => ({ endsWithUs: true })));
});
