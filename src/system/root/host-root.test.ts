import { mkdir, mkdtemp, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { scriptedContext } from "../../testing/scripted-context.ts";
import { findHostRoot } from "./host-root.ts";

test("the root of process 1, if it may be looked at", async () => {
  const root = await mkdtemp(join(tmpdir(), "host-root-"));
  const { ctx } = scriptedContext(root, []);
  expect(await findHostRoot(ctx)).toBeUndefined();
  await mkdir(join(root, "proc/1"), { recursive: true });
  await symlink("../../host", join(root, "proc/1/root"));
  expect(await findHostRoot(ctx)).toBeUndefined();
  await mkdir(join(root, "host"));
  expect(await findHostRoot(ctx)).toBe(join(root, "proc/1/root"));
});
