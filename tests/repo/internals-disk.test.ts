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

describe.skipIf(missing.length > 0)("loop devices", () => {
  afterEach(tidyUp);
  const devicesOf = (file: string) =>
    sh("losetup", "--noheadings", "--output=NAME", "--associated", file).trim();

  test("one is attached and detached again", async () => {
    const file = await newDisk("loopback", 1);
    const { status, stdout } = internals("allocate-cleanup-loopback", "--file-path", file);
    expect([status, stdout]).toEqual([
      0,
      expect.stringMatching(
        /^Created loopback device: \/dev\/loop\d+\nSuccessfully closed loopback device\n$/,
      ),
    ]);
    expect(devicesOf(file)).toBe("");
    const refused = internals("allocate-cleanup-loopback", "--file-path", dir);
    expect([refused.status, refused.stderr]).toEqual([
      2,
      `error: \`${dir}\` is not a regular file\n`,
    ]);
  });

  test("the helper detaches the device of a program that is killed", async () => {
    const file = await newDisk("loopback-helper", 1);
    const device = sh("losetup", "--find", "--show", file).trim();
    const entry = join(TOP, "src/entry.ts");
    const helper = `BOOTC_LOOPBACK_CLEANUP_HELPER=1 ${process.execPath} ${entry} internals loopback-cleanup-helper`;
    // The shell is the parent; it waits until the helper has become a shell of its own, and is killed.
    const script = `${helper} --device ${device} &
      until grep -qs "sleep infinity" /proc/$!/cmdline && [ -n "$(cat /proc/$!/task/$!/children)" ]
      do sleep 0.05; done
      kill -INT $!
      losetup --noheadings --output=NAME --associated ${file}
      echo $!
      kill -KILL $$`;
    const { stdout, signal } = spawnSync("sh", ["-c", script], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
      timeout: 20_000,
    });
    const [attached, pid] = stdout.trim().split("\n");
    expect([signal, attached]).toEqual(["SIGKILL", device]);
    await expect.poll(() => existsSync(`/proc/${pid}`), { timeout: 5000 }).toBe(false);
    expect(devicesOf(file)).toBe("");
  });

  test("the helper detaches nothing when it is tried out", () => {
    const outcome = internals("loopback-cleanup-helper", "--device", "/dev/loop99");
    expect([outcome.status, outcome.stderr]).toEqual([
      2,
      expect.stringContaining("only a program that attached a loop device starts this"),
    ]);
  });
});
