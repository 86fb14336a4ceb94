import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { labelOfNewFiles } from "./of-new-files.ts";

const LABEL = Buffer.from("system_u:object_r:unlabeled_t:s0\0");

async function read(label: Buffer | undefined, refusal?: Error) {
  const repo = await mkdtemp(join(tmpdir(), "new-files-"));
  onTestFinished(() => rm(repo, { recursive: true }));
  const set: Uint8Array[] = [];
  const libc = {
    getXattr: () => label,
    setXattr: (_file: string | number, _name: string, value: Uint8Array) => {
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

test("a label that cannot be stored is none, and other failures are told", async () => {
  const refusal = Object.assign(new Error("not supported"), { code: "EOPNOTSUPP" });
  expect((await read(LABEL, refusal)).labelOf).toBeUndefined();
  await expect(read(LABEL, new TypeError("ours"))).rejects.toThrow("ours");
});

test("without the C library, nothing is labelled", async () => {
  expect(await labelOfNewFiles("/nonexistent", undefined)).toBeUndefined();
});
