import { mkdir, mkdtemp, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { resolveInRoot } from "./in-root.ts";

test.each([
  ["absolute", "/usr/share/x", "usr/share/x"],
  ["relative", "../share/x", "usr/share/x"],
  ["out of the root", "../../../../etc/x", "etc/x"],
  ["through a directory that is one itself", "/lib/x", "usr/lib/x"],
  ["to a missing file", "/none/x", "none/x"],
])("a link: %s", async (_about, target, want) => {
  const root = await mkdtemp(join(tmpdir(), "root-"));
  await mkdir(join(root, "usr/lib"), { recursive: true });
  await symlink("usr/lib", join(root, "lib"));
  await symlink(target, join(root, "usr/lib/link"));
  expect(await resolveInRoot(root, "usr/lib/link")).toBe(join(root, want));
});

test("links that never end are refused", async () => {
  const root = await mkdtemp(join(tmpdir(), "root-"));
  await symlink("b", join(root, "a"));
  await symlink("a", join(root, "b"));
  await expect(resolveInRoot(root, "a")).rejects.toThrow("too many links");
});
