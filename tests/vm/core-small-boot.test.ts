// A machine with a small separate file system for /boot, which may be too small for a kernel.
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  boot,
  installArgs,
  type Lab,
  missingForLab,
  newDiskFile,
  openLab,
  release,
  runInstall,
  statusOf,
} from "./lab.ts";
import type { Disk, Machine } from "./machine.ts";
import { sh } from "./shell.ts";

const missing = await missingForLab();
const why = missing === undefined ? "" : ` (${missing})`;

describe.skipIf(missing !== undefined)(`a small /boot of its own${why}`, () => {
  let lab: Lab;
  let disk: Disk;
  let machine: Machine;

  beforeAll(async () => {
    lab = await openLab("small-boot", { slot: 2 });
    await release(lab, "b1");
    disk = await installSplit(lab, "small-boot", 70);
    machine = await boot(lab, disk, "small-boot");
  });

  afterAll(async () => {
    await machine?.cut();
    await lab?.close();
  });

  test("the machine has /boot from fstab", async () => {
    expect(await machine.must("findmnt -n -o TARGET /boot")).toBe("/boot");
    expect(await machine.must("cat /proc/cmdline")).toContain("boot=UUID=");
  });

  test("no room in /boot: a clear error, nothing changed, and the next image is fine", async () => {
    const before = await machine.must("ostree admin status; find /boot | sort");
    const grow =
      "RUN for i in /usr/lib/modules/*/initramfs.img; do head -c 60000000 /dev/urandom >> $i; done";
    await release(lab, "b2", { lines: [grow] });
    const ran = await machine.run("bootc upgrade");
    // Staging writes nothing to /boot, and at shutdown it is too late to find out.
    expect([ran.status, ran.stderr]).toEqual([8, expect.stringContaining("/boot")]);
    expect(await machine.must("ostree admin status; find /boot | sort")).toBe(before);
    await release(lab, "b3");
    await machine.must("bootc upgrade");
    await machine.reboot();
    machine = await boot(lab, disk, "small-boot-next");
    expect((await statusOf(machine)).status.booted?.image?.version).toBe("b3");
  });
});

/** A disk with /boot in a separate partition, installed with `to-filesystem`. */
async function installSplit(it: Lab, name: string, bootMiB: number): Promise<Disk> {
  const path = join(it.dir, `${name}.raw`);
  await newDiskFile(path, 5);
  const script = `label: gpt\nstart=1MiB, size=${bootMiB}MiB, name=boot\nsize=4500MiB, name=root\n`;
  await sh("sfdisk", ["--quiet", path], { input: script });
  const table = JSON.parse(await sh("sfdisk", ["--json", path])).partitiontable;
  const [bootPart, rootPart] = table.partitions as readonly { start: number; size: number }[];
  if (bootPart === undefined || rootPart === undefined) throw new Error("no partitions");
  const attach = async (part: { start: number; size: number }) => {
    const bytes = [part.start, part.size].map((sectors) => String(sectors * 512));
    const limits = [`--offset=${bytes[0]}`, `--sizelimit=${bytes[1]}`];
    return (await sh("losetup", ["--find", "--show", ...limits, path])).trim();
  };
  const [bootDevice, rootDevice] = [await attach(bootPart), await attach(rootPart)];
  const dir = join(it.dir, "mnt");
  await mkdir(dir, { recursive: true });
  try {
    for (const device of [bootDevice, rootDevice]) await sh("mkfs.ext4", ["-q", "-F", device]);
    await sh("mount", [rootDevice, dir]);
    await mkdir(join(dir, "boot"));
    await sh("mount", [bootDevice, join(dir, "boot")]);
    const ran = await runInstall(it, [
      ...["to-filesystem", "--bootloader", "none", ...installArgs(it, "latest"), dir],
    ]);
    if (ran.status !== 0) throw new Error(`install: ${ran.stderr}`);
  } finally {
    await sh("umount", ["--recursive", dir]);
    for (const device of [bootDevice, rootDevice]) await sh("losetup", ["--detach", device]);
    await rm(dir, { recursive: true });
  }
  return { path, bootOffset: bootPart.start * 512, bootDir: "." };
}
