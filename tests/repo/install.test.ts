// Installations to real disks: loop devices, real file systems, real ostree; bootupctl is a stand-in.
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeAll, expect, test } from "vitest";
import {
  attach,
  bootc,
  deploymentOf,
  describeInstall,
  dir,
  entryOf,
  mount,
  mountRootPartition,
  newDisk,
  newRoot,
  sh,
  tidyUp,
} from "./install-lab.ts";
import { makeInstallableImage } from "./installable-image.ts";

let image: string;

describeInstall(() => {
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
    // The source is below /tmp, so its path would mean nothing to later readers.
    expect(aleph.image).toBeUndefined();
    expect(readFileSync(join(root, "boot/bootupctl.log"), "utf8")).toBe(
      "backend install --write-uuid --filesystem /sysroot /\n",
    );
    sh("ostree", "fsck", "--quiet", `--repo=${root}/ostree/repo`);
  });

  test("to-filesystem requires an empty root, or an option that says what to do with its content", async () => {
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
    // Finalized, so that nothing more is written by accident.
    expect(sh("findmnt", "--noheadings", "--output", "OPTIONS", root)).toMatch(/^ro/);
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

  test("a separate /boot gets its line in fstab, and the image's other lines stay", async () => {
    const root = await newRoot("split");
    const bootDevice = attach(await newDisk("boot.raw", 128));
    sh("mkfs.ext4", "-q", bootDevice);
    mkdirSync(join(root, "boot"));
    const boot = mount(bootDevice, "split/boot");
    const args = ["to-filesystem", "--source-imgref", image, "--root-mount-spec", "LABEL=r", root];
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

  test("an older bootupd gets the disk as an argument", async () => {
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
});
