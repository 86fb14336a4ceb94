import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createContext } from "../../system/run.ts";
import { makeReadOnly, makeWritable } from "./mount.ts";

const BUSY = "mount: /sysroot: mount point is busy.";

/** A context whose mount(8) fails `failures` times with these words, and a count of its starts. */
function mountThat(failures: number, words: string, signal = new AbortController().signal) {
  const dir = mkdtempSync(join(tmpdir(), "bootc-mount-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const log = join(dir, "log");
  writeFileSync(log, "");
  const program = `#!/bin/sh
echo "$*" >> ${log}
[ $(wc -l < ${log}) -gt ${failures} ] || { echo '${words}' >&2; exit 32; }
`;
  writeFileSync(join(dir, "mount"), program, { mode: 0o755 });
  const ctx = createContext({ env: { PATH: `${dir}:/usr/bin:/bin` }, signal });
  return { ctx, starts: () => readFileSync(log, "utf8").split("\n").slice(0, -1) };
}

test("a file system that is frozen becomes writable when it is thawed", async () => {
  const { ctx, starts } = mountThat(3, BUSY);
  await makeWritable(ctx, "/sysroot");
  expect(starts()).toEqual(Array(4).fill("-o remount,rw /sysroot"));
});

test("what will not pass by itself is an error at once", async () => {
  const { ctx, starts } = mountThat(1, "mount: /sysroot: cannot remount /dev/sr0 read-write");
  await expect(makeWritable(ctx, "/sysroot")).rejects.toThrow("cannot remount /dev/sr0 read-write");
  expect(starts()).toHaveLength(1);
});

test("a file system that stays frozen is waited for until the signal", async () => {
  const abort = new AbortController();
  const { ctx, starts } = mountThat(Number.MAX_SAFE_INTEGER, BUSY, abort.signal);
  const made = makeWritable(ctx, "/sysroot").catch((error: Error) => error.message);
  await expect.poll(() => starts().length, { timeout: 20_000 }).toBeGreaterThan(1);
  abort.abort(new Error("interrupted"));
  expect(await made).toBe("interrupted");
});

test("a file system in use does not become read-only later", async () => {
  const { ctx, starts } = mountThat(1, BUSY);
  await expect(makeReadOnly(ctx, "/target")).rejects.toThrow("is busy");
  expect(starts()).toEqual(["-o remount,ro /target"]);
});
