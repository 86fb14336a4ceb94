// Installations that fail: refused ones leave disks unchanged, killed ones leave no devices.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import {
  attach,
  bootc,
  bootcAsNobody,
  dir,
  hash,
  missing,
  mount,
  newDisk,
  newRoot,
  sh,
  TOP,
  tidyUp,
  waitUntilDetached,
} from "./install-lab.ts";
import { makeInstallableImage } from "./installable-image.ts";

let image: string;

describe.skipIf(missing.length > 0)(
  `install${missing.length > 0 ? `: needs ${missing}` : ""}`,
  () => {
    beforeAll(async () => {
      image = await makeInstallableImage(join(dir, "image"), {
        version: "1",
        bootupd: "new",
      });
    });

    afterEach(tidyUp);

    test("to-disk refuses a disk with something on it, and says what; --wipe erases it", async () => {
      const path = await newDisk("used.raw", 2048);
      const device = attach(path);
      sh("mkfs.ext4", "-q", "-L", "precious", device);
      const before = hash(path);
      const args = ["to-disk", "--filesystem", "ext4", "--source-imgref", image, device];
      const refused = bootc(...args);
      expect(refused.status).toBe(1);
      expect(refused.stderr).toMatch(/Detected existing partitions on .*ext4 `precious`/);
      expect(refused.stderr).toContain("--wipe");
      expect(hash(path)).toBe(before);
      const wiped = bootc(...args, "--wipe", "--generic-image");
      expect([wiped.status, wiped.stderr]).toEqual([0, expect.stringContaining("precious")]);
      expect(wiped.stderr.indexOf("Erasing")).toBeLessThan(wiped.stderr.indexOf("Initializing"));
    });

    test("to-disk refuses a disk in use, and leaves it as it was", async () => {
      const path = await newDisk("mounted.raw", 512);
      const device = attach(path);
      sh("mkfs.ext4", "-q", device);
      const where = mount(device, "mounted", "-o", "ro");
      const before = hash(path);
      const args = ["to-disk", "--filesystem", "ext4", "--wipe", "--source-imgref", image, device];
      const ran = bootc(...args);
      expect(ran.status).toBe(9);
      expect(ran.stderr).toContain(`Device ${device} is mounted at \`${where}\``);
      expect(hash(path)).toBe(before);
    });

    test("to-disk refuses an image that cannot boot before it touches the disk", async () => {
      const unlabelled = await makeInstallableImage(join(dir, "unlabelled"), {
        version: "1",
        isUnlabelled: true,
      });
      const path = await newDisk("untouched.raw", 512);
      const before = hash(path);
      const args = ["--via-loopback", "--filesystem", "ext4", "--source-imgref", unlabelled, path];
      const ran = bootc("to-disk", ...args);
      expect(ran.status).toBe(3);
      expect(ran.stderr).toContain("ostree.bootable");
      expect(hash(path)).toBe(before);
    });

    test("an image that requires fs-verity is not deployed", async () => {
      const sealed = await makeInstallableImage(join(dir, "sealed"), {
        version: "1",
        files: { "usr/lib/ostree/prepare-root.conf": "[composefs]\nenabled = verity\n" },
      });
      const root = await newRoot("sealed-root");
      const ran = bootc("to-filesystem", "--source-imgref", sealed, "--bootloader", "none", root);
      expect([ran.status, ran.stderr]).toEqual([
        3,
        expect.stringContaining(
          "error: the image requires fs-verity: `composefs.enabled` is `verity`\n",
        ),
      ]);
      expect(sh("find", join(root, "ostree/deploy"), "-mindepth", "1")).toBe("");
      expect(sh("find", join(root, "boot"), "-name", "*.conf")).toBe("");
    });

    test.each([
      ["not a block device", ["to-disk", "--filesystem", "ext4", "/dev/null"], 2],
      ["not a file", ["to-disk", "--via-loopback", "--filesystem", "ext4", "/dev/null"], 2],
      ["not a mount point", ["to-filesystem", "--source-imgref", "oci:/none", dir], 1],
      ["no source", ["to-filesystem", "/proc"], 3],
      ["nothing deployed", ["finalize", dir], 1],
    ])("refuses: %s", (_about, args, status) => {
      const ran = bootc(...args);
      expect([ran.status, ran.stdout]).toEqual([status, ""]);
      expect(ran.stderr).toMatch(/^error: .+\n(hint: .+\n)?$/m);
    });

    test.each([
      ["to-disk", ["--via-loopback", "--source-imgref", "oci:/none", "/etc/hostname"]],
      ["to-existing-root", ["--source-imgref", "oci:/none"]],
      ["finalize", [dir]],
      ["ensure-completion", []],
    ])("%s tells users other than root so", (verb, args) => {
      const { status, stderr } = bootcAsNobody(verb, ...args);
      expect([status, stderr]).toEqual([
        3,
        expect.stringMatching(
          /^error: This command must be executed as the root user\nhint: run it with sudo\n$/m,
        ),
      ]);
    });

    test.skipIf(existsSync("/target"))("to-existing-root leaves nothing at /target", () => {
      const bind = [process.execPath, join(TOP, "src/entry.ts"), "install", "to-existing-root"];
      const look = "ls -d /target && findmnt --list --noheadings --output TARGET";
      const tidy = "umount --recursive --lazy /target; rmdir /target";
      const script = `"$@"; if ${look}; then ${tidy}; fi`;
      const namespace = ["--mount", "--pid", "--fork", "--mount-proc", "sh", "-c", script, "sh"];
      const args = [...namespace, ...bind, "--source-imgref", "oci:/none"];
      const ran = spawnSync("unshare", args, { encoding: "utf8" });
      expect(ran.stdout).toBe("");
      // The installation had got as far as inspecting its mount.
      expect(ran.stderr).toMatch(/^error: (.*\/none|`\/target` is )/m);
    });

    test.each([
      ["an empty directory", ["mkdir", "-p", "boot"], "Found empty directory: boot"],
      ["a file at the top", ["touch", "old"], "Non-empty root filesystem; found old"],
      ["a file further down", ["cp", "-r", "/etc/default", "etc"], "Found entry in etc: "],
    ])("to-filesystem names what is in the way: %s", async (_about, words, message) => {
      const root = await newRoot("names");
      const [program = "", ...args] = words;
      sh(program, ...args.slice(0, -1), join(root, args.at(-1) ?? ""));
      const before = sh("find", root);
      const ran = bootc("to-filesystem", "--source-imgref", image, "--bootloader", "none", root);
      expect([ran.status, ran.stderr]).toEqual([1, expect.stringContaining(`error: ${message}`)]);
      expect(sh("find", root)).toBe(before);
    });

    test.each([
      ["killed outright, while a device is attached", "KILL", "losetup -j"],
      ["told to end, while a device is attached", "TERM", "losetup -j"],
      [
        "terminated, with the new root mounted",
        "TERM",
        "findmnt -n --list | grep /run/bootc/mounts/rootfs- #",
      ],
    ])("%s: no loop device stays behind", async (_about, signal, sign) => {
      const path = await newDisk("killed.raw", 2048);
      const entry = join(TOP, "src/entry.ts");
      const args = ["--via-loopback", "--filesystem", "ext4", "--source-imgref", image, path];
      const wait = `until ${sign} "$DISK" | grep -q .; do kill -0 $pid || exit 1; done`.replace(
        '# "$DISK"',
        "",
      );
      const script = `"$@" & pid=$!; ${wait}; kill -${signal} $pid; wait $pid`;
      const words = [process.execPath, entry, "install", "to-disk", ...args];
      const ran = spawnSync("bash", ["-c", script, "sh", ...words], {
        env: { ...process.env, DISK: path },
        encoding: "utf8",
      });
      expect(ran.status).not.toBe(0);
      waitUntilDetached(path);
    });

    test("terminated while mount(8) still runs: nothing stays mounted", async () => {
      const path = await newDisk("mounting.raw", 2048);
      // The real one does its work, and then does not end by itself.
      const shims = await newRoot("mount-shim");
      const mounted = join(shims, "mounted");
      const shim = `#!/bin/sh\n${sh("which", "mount").trim()} "$@" || exit\n`;
      const stays = `case "$*" in *rootfs-*) touch ${mounted}; exec sleep 600 ;; esac\n`;
      await writeFile(join(shims, "mount"), shim + stays, { mode: 0o755 });
      const entry = join(TOP, "src/entry.ts");
      const args = ["--via-loopback", "--filesystem", "ext4", "--source-imgref", image, path];
      const wait = `until test -e ${mounted}; do kill -0 $pid || exit 1; done`;
      const script = `"$@" & pid=$!; ${wait}; kill -TERM $pid; wait $pid`;
      const words = [process.execPath, entry, "install", "to-disk", ...args];
      const ran = spawnSync("bash", ["-c", script, "sh", ...words], {
        env: { ...process.env, PATH: `${shims}:${process.env.PATH}` },
        encoding: "utf8",
      });
      expect([ran.status, ran.stderr]).toEqual([1, expect.stringContaining("error: interrupted")]);
      waitUntilDetached(path);
    });
  },
);
