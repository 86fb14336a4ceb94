// Disks `install to-disk` refuses, each as it was afterwards: byte for byte.
import { join } from "node:path";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { attach, bootc, dir, hash, missing, mount, newDisk, sh, tidyUp } from "./install-lab.ts";
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
      const path = await newDisk("attached.raw", 2048);
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
  },
);
