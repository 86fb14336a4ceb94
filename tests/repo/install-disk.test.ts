// Disks that `install to-disk` refuses, and that it leaves unchanged to the byte.
import { existsSync, lstatSync, mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import {
  attach,
  bootc,
  bootcWith,
  dir,
  hash,
  missing,
  mount,
  newDisk,
  sh,
  tidyUp,
} from "./install-lab.ts";
import { makeInstallableImage } from "./installable-image.ts";

describe.skipIf(missing.length > 0)(
  `install to-disk refuses${missing.length > 0 ? `: needs ${missing}` : ""}`,
  () => {
    let image: string;

    beforeAll(async () => {
      image = await makeInstallableImage(join(dir, "refused"), { version: "1", bootupd: "new" });
    });
    afterEach(tidyUp);

    const wipe = (filesystem = "ext4") => [
      ...["to-disk", "--wipe", "--filesystem", filesystem, "--source-imgref", image],
    ];

    test("a disk image that is attached to another loop device", async () => {
      const path = await newDisk("attached.raw", 64);
      const device = attach(path);
      sh("mkfs.ext4", "-q", device);
      mount(device, "attached", "-o", "ro,noload");
      const before = hash(path);
      const ran = bootc(...wipe(), "--via-loopback", path);
      expect([ran.status, ran.stderr]).toEqual([9, expect.stringContaining(device)]);
      expect(ran.stderr).toContain(`error: \`${path}\` is in use: it is attached to`);
      expect(hash(path)).toBe(before);
      expect(sh("losetup", "--noheadings", "--output", "NAME", "--associated", path).trim()).toBe(
        device,
      );
    });

    test("a partition", async () => {
      const path = await newDisk("partition.raw", 64);
      sh("sh", "-c", 'printf "label: gpt\\nsize=32MiB\\n" | sfdisk --quiet "$1"', "sh", path);
      const device = `${attach(path, "--partscan")}p1`;
      if (!existsSync(device)) sh("partx", "--update", device.replace(/p1$/, ""));
      sh("mkfs.ext4", "-q", device);
      const before = hash(path);
      const ran = bootc(...wipe(), device);
      expect([ran.status, ran.stderr]).toEqual([2, expect.stringContaining("is a partition")]);
      expect(hash(path)).toBe(before);
    });

    test.each([
      ["a root larger than the disk", ["--root-size", "100G"], 1024],
      ["a disk that has no room for any root", [], 600],
    ])("%s", async (_about, args, sizeMiB) => {
      const path = await newDisk("small.raw", sizeMiB);
      sh("mkfs.ext4", "-q", path);
      const before = hash(path);
      const ran = bootc(...wipe(), "--via-loopback", ...args, path);
      expect([ran.status, ran.stderr]).toEqual([8, expect.stringContaining("are needed")]);
      expect(ran.stderr).toContain(`the disk has ${sizeMiB} MiB`);
      expect(ran.stderr).not.toContain("Erasing");
      expect(hash(path)).toBe(before);
    });

    test.each([
      ["sfdisk", "ext4"],
      ["mkfs.fat", "ext4"],
      ["mkfs.btrfs", "btrfs"],
    ])("a machine without %s", async (program, filesystem) => {
      const path = await newDisk("programs.raw", 900);
      sh("mkfs.ext4", "-q", path);
      const before = hash(path);
      const env = { PATH: pathWithout(program) };
      const ran = bootcWith(env, ...wipe(filesystem), "--via-loopback", path);
      expect(ran.stderr).toContain(`\`${program}\`: not found`);
      expect(ran.stderr).not.toContain("Erasing");
      expect([ran.status, hash(path)]).toEqual([1, before]);
    });
  },
);

/** A folder of links to everything on PATH except one program. */
function pathWithout(program: string): string {
  const folder = join(dir, `without-${program}`);
  mkdirSync(folder);
  const folders = (process.env.PATH ?? "").split(":").filter((it) => existsSync(it));
  for (const from of folders) {
    for (const name of readdirSync(from)) {
      const link = join(folder, name);
      if (name === program || lstatSync(link, { throwIfNoEntry: false })) continue;
      symlinkSync(join(from, name), link);
    }
  }
  return folder;
}
