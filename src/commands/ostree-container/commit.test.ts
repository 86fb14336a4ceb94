import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { scriptedContext } from "../../testing/scripted-context.ts";
import { containerCommit } from "./commit.ts";

async function layOut(files: readonly string[]): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), "commit-"));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  for (const path of files) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), "");
  }
  return root;
}

const REPO = "sysroot/ostree/repo/config";
const MODE = "[core]\nmode=bare-split-xattrs\n";
const commit = (root: string) => containerCommit(scriptedContext(root, []).ctx);

test("what was left behind goes, but for mounts, links and everything elsewhere", async () => {
  const root = await layOut([
    ...[REPO, "run/.containerenv", "run/lock/a", "run/secrets/b", "run/secrets/mounted/c"],
    ...["tmp/x/y/z", "var/cache/dnf/p", "var/lib/kept", "usr/kept", "elsewhere/kept"],
  ]);
  await writeFile(join(root, REPO), MODE);
  await symlink("../elsewhere", join(root, "tmp/link"));
  await symlink("../elsewhere", join(root, "var/tmp"));
  await mkdir(join(root, "proc/self"), { recursive: true });
  const at = (path: string) => `1 1 0:1 / ${path} rw - ext4 /dev/x rw\n`;
  await writeFile(
    join(root, "proc/self/mountinfo"),
    at("/run/secrets/mounted") + at("/run/.containerenv"),
  );
  await commit(root);
  expect((await readdir(join(root, "run"))).sort()).toEqual([".containerenv", "secrets"]);
  expect(await readdir(join(root, "run/secrets"))).toEqual(["mounted"]);
  expect(existsSync(join(root, "run/secrets/mounted/c"))).toBe(true);
  expect(await readdir(join(root, "tmp"))).toEqual([]);
  expect(await readdir(join(root, "var/cache"))).toEqual([]);
  for (const it of ["var/lib/kept", "usr/kept", "elsewhere/kept"]) {
    expect(existsSync(join(root, it))).toBe(true);
  }
});

test("outside of a container, and in one of another kind, nothing is touched", async () => {
  for (const files of [
    ["tmp/a", REPO],
    ["tmp/a", "run/.containerenv"],
  ]) {
    const root = await layOut(files);
    if (files.includes(REPO)) await writeFile(join(root, REPO), MODE);
    await expect(commit(root)).rejects.toMatchObject({ kind: "unsupported" });
    expect(existsSync(join(root, "tmp/a"))).toBe(true);
  }
});
