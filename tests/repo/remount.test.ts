// The kernel refuses to remount a frozen file system; this is what it and mount(8) really say then.
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { makeWritable } from "../../src/programs/disk/mount.ts";
import type { Context } from "../../src/system/context.ts";
import { createContext } from "../../src/system/run.ts";
import { attach, missing, mount, newDisk, sh, tidyUp } from "./install-lab.ts";

const why = missing.length > 0 ? ` (needs ${missing})` : "";

describe.skipIf(missing.length > 0)(`a frozen file system${why}`, () => {
  afterEach(tidyUp);

  test("becomes writable as soon as it is thawed", async () => {
    const device = attach(await newDisk("frozen", 32));
    sh("mkfs.ext4", "-q", device);
    const at = mount(device, "frozen-mount");
    sh("mount", "-o", "remount,bind,ro", at);
    sh("fsfreeze", "-f", at);
    const ctx = createContext();
    const failures: unknown[] = [];
    const run: Context["run"] = async (program, args, how) => {
      await ctx.run(program, args, how).catch((error: unknown) => {
        failures.push(error);
        sh("fsfreeze", "-u", at);
        throw error;
      });
    };
    try {
      await makeWritable({ ...ctx, run }, at);
    } finally {
      // Writing to it would wait forever, and so would unmounting it.
      spawnSync("fsfreeze", ["-u", at]);
    }
    writeFileSync(join(at, "written"), "");
    expect(failures).toEqual([expect.objectContaining({ message: expect.stringMatching("busy") })]);
  });
});
