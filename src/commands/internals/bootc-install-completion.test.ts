import { mkdir, mkdtemp, readFile, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { createContext } from "../../system/run.ts";
import { EMPTY_COMMIT, EMPTY_COMMIT_FILES } from "../../testing/empty-commit.ts";
import { bootcInstallCompletion } from "./bootc-install-completion.ts";

const ENTRY = "sysroot/boot/loader/entries/ostree-1.conf";
const NAME = `${EMPTY_COMMIT}.0`;
const DEPLOYMENT = `sysroot/ostree/deploy/default/deploy/${NAME}`;
const REPO = "sysroot/ostree/repo";

async function installed(options: string): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), "installed-"));
  const files = {
    [ENTRY]: `title x\nversion 1\noptions ${options}\nlinux /boot/x\n`,
    [`${DEPLOYMENT}/usr/lib/bootc/install/10.toml`]: '[install]\nkargs = ["quiet", "a=1"]\n',
    [`${DEPLOYMENT}/usr/lib/bootc/kargs.d/10.toml`]: 'kargs = ["b=2"]\n',
    ...Object.fromEntries(
      Object.entries(EMPTY_COMMIT_FILES).map(([path, bytes]) => [`${REPO}/${path}`, bytes]),
    ),
  };
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
  const link = join(root, "sysroot/ostree/boot.1/default/sum/0");
  await mkdir(dirname(link), { recursive: true });
  await symlink(`../../../deploy/default/deploy/${NAME}`, link);
  return root;
}

test("arguments of configuration and image join the entry, once", async () => {
  const root = await installed("root=UUID=1 a=1 ostree=/ostree/boot.1/default/sum/0");
  const run = () => bootcInstallCompletion(createContext(), join(root, "sysroot"), "default");
  await run();
  const text = await readFile(join(root, ENTRY), "utf8");
  expect(text).toBe(
    "title x\nversion 1\noptions root=UUID=1 a=1 ostree=/ostree/boot.1/default/sum/0 quiet b=2\nlinux /boot/x\n",
  );
  await run();
  expect(await readFile(join(root, ENTRY), "utf8")).toBe(text);
});

test("a directory among the files of the configuration or the image is ignored", async () => {
  const root = await installed("root=UUID=1 ostree=/ostree/boot.1/default/sum/0");
  const kargsDir = join(root, DEPLOYMENT, "usr/lib/bootc/kargs.d");
  await mkdir(join(kargsDir, "old"));
  await mkdir(join(kargsDir, "20.toml"));
  await symlink("20.toml", join(kargsDir, "30.toml"));
  await symlink("nowhere", join(kargsDir, "40.toml"));
  await mkdir(join(root, DEPLOYMENT, "usr/lib/bootc/install/20.toml"));
  await bootcInstallCompletion(createContext(), join(root, "sysroot"), "default");
  expect(await readFile(join(root, ENTRY), "utf8")).toContain(
    "\noptions root=UUID=1 ostree=/ostree/boot.1/default/sum/0 quiet a=1 b=2\n",
  );
});

test("an entry that cannot be read may be the next to boot: nothing is completed", async () => {
  const root = await installed("root=UUID=1 ostree=/ostree/boot.1/default/sum/0");
  const before = await readFile(join(root, ENTRY), "utf8");
  await mkdir(join(root, "sysroot/boot/loader/entries/ostree-2.conf"));
  const work = bootcInstallCompletion(createContext(), join(root, "sysroot"), "default");
  await expect(work).rejects.toMatchObject({
    cause: { message: expect.stringContaining("the boot entry `ostree-2.conf`: EISDIR") },
  });
  expect(await readFile(join(root, ENTRY), "utf8")).toBe(before);
});

test("another stateroot is not touched", async () => {
  const root = await installed("root=UUID=1 ostree=/ostree/boot.1/default/sum/0");
  const before = await readFile(join(root, ENTRY), "utf8");
  await expect(
    bootcInstallCompletion(createContext(), join(root, "sysroot"), "other"),
  ).rejects.toThrow("completing the installation");
  expect(await readFile(join(root, ENTRY), "utf8")).toBe(before);
});
