// Installations to real disks: loop devices, real file systems, real ostree; bootupctl is a stand-in.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import {
  attach,
  bootc,
  deploymentOf,
  dir,
  entryOf,
  hash,
  missing,
  mount,
  mountRootPartition,
  newDisk,
  newRoot,
  sh,
  TOP,
  tidyUp,
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
        kargs: { "10-a.toml": 'kargs = ["image.one=1", "image.two=1"]\n' },
        files: { "etc/fstab": "UUID=9 /data xfs defaults 0 0\n" },
      });
      await writeFile(join(dir, "keys"), "ssh-ed25519 AAAA somebody\n");
    });

    afterEach(tidyUp);

    test("to-disk makes a disk that holds everything a boot needs", async () => {
      const disk = await newDisk("disk.raw", 2048);
      const ran = bootc(
        ...["to-disk", "--via-loopback", "--filesystem", "ext4", "--source-imgref", image],
        ...["--target-imgref", "quay.io/example/os:latest", "--karg", "user.one=1 image.two=1"],
        ...["--karg-delete", "image.two", "--root-ssh-authorized-keys", join(dir, "keys"), disk],
      );
      expect([ran.status, ran.stderr]).toEqual([
        0,
        expect.stringContaining("Installation complete!"),
      ]);
      expect(ran.stdout).toBe("");
      const table = JSON.parse(sh("sfdisk", "--json", disk)).partitiontable;
      expect(table.label).toBe("gpt");
      expect(table.partitions.map((it: { name: string }) => it.name)).toEqual([
        "BIOS-BOOT",
        "EFI-SYSTEM",
        "root",
      ]);
      const root = mountRootPartition(disk, "root");
      expect(entryOf(root)).toMatch(
        /options root=UUID=[0-9a-f-]{36} rw image\.one=1 user\.one=1 image\.two=1 ostree=/,
      );
      const deployment = deploymentOf(root);
      expect(readFileSync(`${deployment}.origin`, "utf8")).toContain(
        "container-image-reference=ostree-unverified-registry:quay.io/example/os:latest",
      );
      const refs = sh("ostree", "refs", `--repo=${root}/ostree/repo`);
      expect(refs).toContain("ostree/container/image/docker_3A__2F__2F_quay_2E_io");
      expect(refs).not.toContain("ostree/container/image/oci");
      const keys = readFileSync(join(deployment, "etc/tmpfiles.d/bootc-root-ssh.conf"), "utf8");
      const encoded = Buffer.from("ssh-ed25519 AAAA somebody\n").toString("base64");
      expect(keys).toBe(`f~ /var/roothome/.ssh/authorized_keys 600 root root - ${encoded}\n`);
      const aleph = JSON.parse(readFileSync(join(root, ".bootc-aleph.json"), "utf8"));
      expect(aleph).toMatchObject({
        "target-image": "docker://quay.io/example/os:latest",
        version: "1",
        selinux: "disabled",
        digest: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
      });
      // The source lies below /tmp: it says nothing to whoever reads this later.
      expect(aleph.image).toBeUndefined();
      expect(readFileSync(join(root, "boot/bootupctl.log"), "utf8")).toBe(
        "backend install --write-uuid --filesystem /sysroot /\n",
      );
      sh("ostree", "fsck", "--quiet", `--repo=${root}/ostree/repo`);
    });

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

    test("to-filesystem wants an empty root, or is told what becomes of it", async () => {
      const root = await newRoot("full");
      await writeFile(join(root, "old"), "old");
      const args = ["to-filesystem", "--source-imgref", image, "--bootloader", "none"];
      const refused = bootc(...args, root);
      expect(refused.status).toBe(1);
      expect(refused.stderr).toContain("Non-empty root filesystem; found old");
      expect(readdirSync(root)).toEqual(["old"]);

      const beside = bootc(...args, "--replace", "alongside", "--skip-finalize", root);
      expect([beside.status, beside.stderr]).toEqual([0, expect.stringContaining("complete")]);
      expect(readFileSync(join(root, "old"), "utf8")).toBe("old");
      const first = deploymentOf(root);

      const wiped = bootc(...args, "--replace", "wipe", root);
      expect([wiped.status, wiped.stderr]).toEqual([0, expect.stringContaining("Wiping contents")]);
      expect(existsSync(join(root, "old"))).toBe(false);
      expect(deploymentOf(root)).toBe(first);
      // Finalized: nothing more is written by accident.
      expect(sh("findmnt", "--noheadings", "--output", "OPTIONS", root)).toMatch(/^ro/);
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

    test.each(["alongside", "wipe"])(
      "--replace %s works on an ostree system that protects itself",
      async (mode) => {
        const root = await newRoot("protected");
        const args = ["to-filesystem", "--source-imgref", image, "--bootloader", "none"];
        expect(bootc(...args, "--skip-finalize", root).status).toBe(0);
        sh("chattr", "+i", root);
        sh("mount", "-o", "remount,bind,ro", root);
        const again = bootc(...args, "--skip-finalize", "--replace", mode, root);
        expect([again.status, again.stderr]).toEqual([0, expect.stringContaining("complete")]);
        expect(entryOf(root)).toContain("ostree=");
      },
    );

    test("a /boot of its own gets its line in fstab, and the image's other lines stay", async () => {
      const root = await newRoot("split");
      const bootDevice = attach(await newDisk("boot.raw", 128));
      sh("mkfs.ext4", "-q", bootDevice);
      mkdirSync(join(root, "boot"));
      const boot = mount(bootDevice, "split/boot");
      const args = [
        "to-filesystem",
        "--source-imgref",
        image,
        "--root-mount-spec",
        "LABEL=r",
        root,
      ];
      const ran = bootc(...args, "--bootupd-skip-boot-uuid");
      expect([ran.status, ran.stderr]).toEqual([0, expect.stringContaining("complete")]);
      const uuid = sh("blkid", "-p", "-o", "value", "-s", "UUID", bootDevice).trim();
      const fstab = readFileSync(join(deploymentOf(root), "etc/fstab"), "utf8");
      expect(fstab).toBe(`UUID=9 /data xfs defaults 0 0\nUUID=${uuid} /boot ext4 ro 0 0\n`);
      expect(entryOf(root)).toContain(`options root=LABEL=r rw boot=UUID=${uuid} image.one=1`);
      expect(readFileSync(join(boot, "bootupctl.log"), "utf8")).toBe(
        "backend install --with-static-configs --update-firmware --auto --filesystem /sysroot /\n",
      );
      expect(bootc("finalize", root).status).toBe(0);
    });

    test("an older bootupd is told the disk", async () => {
      const old = await makeInstallableImage(join(dir, "old"), { version: "1", bootupd: "old" });
      const path = await newDisk("older.raw", 2048);
      const args = ["--via-loopback", "--filesystem", "ext4", "--source-imgref", old, path];
      const ran = bootc("to-disk", ...args);
      expect([ran.status, ran.stderr]).toEqual([0, expect.stringContaining("complete")]);
      const root = mountRootPartition(path, "older");
      expect(readFileSync(join(root, "boot/bootupctl.log"), "utf8")).toMatch(
        /^backend install --write-uuid --device \/dev\/loop\d+ \/\n$/,
      );
    });

    test.each([
      ["killed outright, while a device is attached", "KILL", "losetup -j"],
      ["told to end, while a device is attached", "TERM", "losetup -j"],
      [
        "told to end, with the new root mounted",
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
      const end = Date.now() + 60_000;
      while (sh("losetup", "-j", path) !== "" && Date.now() < end) spawnSync("sync");
      expect(sh("losetup", "-j", path)).toBe("");
    });
  },
);
