import { mkdtemp, readdir, readlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createContext } from "../../system/run.ts";
import { layOutFiles } from "../../testing/lay-out-files.ts";
import { systemdGenerator } from "./systemd-generator.ts";

test("the generator links what an ostree host needs, and may run again", async () => {
  const root = await layOutFiles({ "run/ostree-booted": "", "sysroot/x": "", "etc/shadow": "" });
  const out = await mkdtemp(join(tmpdir(), "generator-"));
  await systemdGenerator(createContext({ root }), out);
  await systemdGenerator(createContext({ root }), out);
  expect(await readdir(out)).toEqual([
    "bootc-status-updated-onboot.target.wants",
    "bootc-status-updated.target.wants",
    "multi-user.target.wants",
    "sysinit.target.wants",
  ]);
  expect(await readlink(join(out, "multi-user.target.wants/bootc-status-updated.path"))).toBe(
    "/usr/lib/systemd/system/bootc-status-updated.path",
  );
});
