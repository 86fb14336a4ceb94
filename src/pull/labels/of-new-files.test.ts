import { statSync } from "node:fs";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { systemError } from "../../native/ffi.ts";
import { labelOfNewFiles } from "./of-new-files.ts";

const LABEL = Buffer.from("system_u:object_r:unlabeled_t:s0\0");

async function makeRepository(mode: string): Promise<string> {
  const repo = await mkdtemp(join(tmpdir(), "new-files-"));
  onTestFinished(() => rm(repo, { recursive: true }));
  await writeFile(join(repo, "config"), `[core]\nrepo_version=1\nmode=${mode}\n`);
  return repo;
}

async function read(label: Buffer | undefined, refusal?: Error) {
  const repo = await makeRepository("bare");
  const set: Uint8Array[] = [];
  const libc = {
    getXattr: (file: string | number) => {
      // The kernel labels by the kind of a file, and objects are regular files.
      expect(statSync(String(file)).isFile()).toBe(true);
      return label;
    },
    setXattr: (file: string | number, _name: string, value: Uint8Array) => {
      expect(statSync(String(file)).isFile()).toBe(true);
      if (refusal !== undefined) throw refusal;
      set.push(value);
    },
  };
  const labelOf = await labelOfNewFiles(repo, libc).finally(async () =>
    expect(await readdir(join(repo, "tmp"))).toEqual([]),
  );
  return { labelOf, set };
}

test("where the kernel labels new files, every path gets that label", async () => {
  const { labelOf, set } = await read(LABEL);
  expect(labelOf?.("/usr/bin/true", 0o100755)).toBe(LABEL);
  expect(set).toEqual([LABEL]);
});

test("where it does not, there is none", async () => {
  expect((await read(undefined)).labelOf).toBeUndefined();
});

const refused = (errno: number) => systemError(errno, { syscall: "lsetxattr", path: "probe" });
const { EOPNOTSUPP, EPERM, EACCES, EIO, ENOSPC } = constants.errno;

test.each([EOPNOTSUPP, EPERM, EACCES])("a label that cannot be stored (%i) is none", async (it) => {
  expect((await read(LABEL, refused(it))).labelOf).toBeUndefined();
});

test.each([EIO, ENOSPC])("any other failure (%i) is told", async (it) => {
  const error = refused(it);
  await expect(read(LABEL, error)).rejects.toBe(error);
  await expect(read(LABEL, new TypeError("ours"))).rejects.toThrow("ours");
});

test.each(["bare-user", "bare-user-only", "archive-z2"])(
  "no object of a repository of mode %s has a label",
  async (mode) => {
    const libc = { getXattr: () => LABEL, setXattr: () => undefined };
    expect(await labelOfNewFiles(await makeRepository(mode), libc)).toBeUndefined();
  },
);

test("without the C library, nothing is labelled", async () => {
  expect(await labelOfNewFiles("/nonexistent", undefined)).toBeUndefined();
});
