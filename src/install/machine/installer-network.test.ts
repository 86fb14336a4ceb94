import { mkdir, mkdtemp, readFile, readlink, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { scriptedContext } from "../../testing/scripted-context.ts";
import { withInstallerNetwork } from "./installer-network.ts";

/** A new system, in which the root of process 1 is the installer's. */
async function newSystem(files: Readonly<Record<string, string>>) {
  const root = await mkdtemp(join(tmpdir(), "completion-"));
  for (const [path, text] of Object.entries({ "etc/os-release": "", ...files })) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
  return { root, ctx: scriptedContext(root, []).ctx };
}

const THEIRS = { "proc/1/root/etc/resolv.conf": "nameserver 192.0.2.1\n" };

test("the installer's resolver is used meanwhile; a dangling link is restored afterwards", async () => {
  const { root, ctx } = await newSystem(THEIRS);
  const path = join(root, "etc/resolv.conf");
  await symlink("../run/systemd/resolve/stub-resolv.conf", path);
  const seen = await withInstallerNetwork(ctx, () => readFile(path, "utf8"));
  expect(seen).toBe("nameserver 192.0.2.1\n");
  expect(await readlink(path)).toBe("../run/systemd/resolve/stub-resolv.conf");
});

test("a resolver that was not there is removed again, even after a failure", async () => {
  const { root, ctx } = await newSystem(THEIRS);
  const failing = withInstallerNetwork(ctx, () => Promise.reject(new Error("no network")));
  await expect(failing).rejects.toThrow("no network");
  await expect(stat(join(root, "etc/resolv.conf"))).rejects.toMatchObject({ code: "ENOENT" });
});

test("the installer's credentials are copied, readable only by root", async () => {
  const files = { "proc/1/root/etc/ostree/auth.json": '{"auths":{}}' };
  const { root, ctx } = await newSystem(files);
  await withInstallerNetwork(ctx, async () => undefined);
  const copy = join(root, "run/ostree/auth.json");
  expect(await readFile(copy, "utf8")).toBe('{"auths":{}}');
  expect((await stat(copy)).mode & 0o777).toBe(0o600);
});

test("an installer on the same system changes nothing", async () => {
  const { root, ctx } = await newSystem({ "etc/resolv.conf": "nameserver 192.0.2.2\n" });
  await mkdir(join(root, "proc/1"), { recursive: true });
  await symlink("../..", join(root, "proc/1/root"));
  const path = join(root, "etc/resolv.conf");
  const seen = await withInstallerNetwork(ctx, () => stat(path));
  expect(seen.ino).toBe((await stat(path)).ino);
});
