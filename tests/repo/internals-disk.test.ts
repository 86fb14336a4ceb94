import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { attach, dir, missing, mount, newDisk, sh, TOP, tidyUp } from "./install-lab.ts";

function internals(...words: readonly string[]) {
  const args = [join(TOP, "src/entry.ts"), "internals", ...words];
  return spawnSync(process.execPath, args, { encoding: "utf8" });
}

describe.skipIf(missing.length > 0)("blockdev", () => {
  let disk: string;
  beforeEach(async () => {
    const file = await newDisk("blockdev", 32);
    const layout = 'label: gpt\nstart=2048, size=8192, name="one"\nstart=10240, name="two words"\n';
    spawnSync("sfdisk", ["--quiet", file], { input: layout });
    disk = attach(file, "--partscan");
    sh("partx", "--update", disk);
    sh("mkfs.ext4", "-q", "-L", "my root", `${disk}p2`);
  });
  afterEach(tidyUp);

  test("ls knows partitions and file systems without udev", () => {
    const { status, stdout, stderr } = internals("blockdev", "ls", disk);
    expect([status, stderr]).toEqual([0, ""]);
    const found = JSON.parse(stdout);
    expect(found).toMatchObject({
      path: disk,
      type: "loop",
      size: 32 << 20,
      pttype: "gpt",
      ro: false,
    });
    const [one, two] = found.children;
    expect(one).toMatchObject({
      path: `${disk}p1`,
      partn: 1,
      partlabel: "one",
      start: 2048,
      size: 4 << 20,
      fstype: null,
      children: null,
    });
    expect(two).toMatchObject({
      partn: 2,
      partlabel: "two words",
      fstype: "ext4",
      label: "my root",
    });
    expect(two.partuuid).toMatch(/^[0-9a-f-]{36}$/);
    expect(two.parttype).toBe("0fc63daf-8483-4772-8e79-3d69d8477de4");
  });

  test("ls-filesystem finds the device of a directory, its links followed", () => {
    const at = mount(`${disk}p2`, "blockdev-mount");
    mkdirSync(join(at, "a"));
    const { stdout } = internals("blockdev", "ls-filesystem", join(at, "a"));
    expect(JSON.parse(stdout)).toMatchObject({
      path: `${disk}p2`,
      label: "my root",
      mountpoints: [at],
    });
  });

  test.each([
    {
      words: ["ls", "/dev/null"],
      status: 2,
      says: "error: `/dev/null` is not a block device\nhint: ",
    },
    {
      words: ["ls", "/nonexistent"],
      status: 2,
      says: "error: `/nonexistent` is not a block device\nhint: ",
    },
    {
      words: ["ls-filesystem", "/proc"],
      status: 3,
      says: "error: `/proc` is not on a block device",
    },
    { words: ["ls-filesystem", `${dir}/none`], status: 1, says: "error: looking at `" },
  ])("$words is refused", ({ words, status, says }) => {
    const outcome = internals("blockdev", ...words);
    expect([outcome.status, outcome.stdout]).toEqual([status, ""]);
    expect(outcome.stderr).toContain(says);
  });
});

describe.skipIf(missing.length > 0)("fsverity", () => {
  afterEach(tidyUp);

  test("what the kernel measures is what is computed, or the kernel has no fs-verity", async () => {
    const file = await newDisk("fsverity", 16);
    sh("mkfs.ext4", "-q", "-b", "4096", "-O", "verity", file);
    const path = join(mount(attach(file), "fsverity-mount"), "file");
    writeFileSync(path, Buffer.alloc(600_000, "content"));
    const computed = internals("fsverity", "measure", "--compute", path);
    expect(computed.stdout).toMatch(/^[0-9a-f]{64}\n$/);
    const before = internals("fsverity", "measure", path);
    const enabled = internals("fsverity", "enable", path);
    if (!existsSync("/sys/fs/ext4/features/verity") && !existsSync("/proc/sys/fs/verity")) {
      for (const { status, stderr } of [before, enabled]) {
        expect([status, stderr]).toEqual([3, expect.stringContaining("has no fs-verity")]);
      }
      expect(readFileSync(path).length).toBe(600_000);
      return;
    }
    expect([before.status, before.stderr]).toEqual([
      1,
      expect.stringContaining("is not protected"),
    ]);
    expect(enabled.status).toBe(0);
    expect(internals("fsverity", "measure", path).stdout).toBe(computed.stdout);
    const again = internals("fsverity", "enable", path);
    expect([again.status, again.stderr]).toEqual([1, expect.stringContaining("protected already")]);
  });
});
