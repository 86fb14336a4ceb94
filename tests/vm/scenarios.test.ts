// The rest of a machine's life: downloaded, refused and automatic updates; GRUB.
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  boot,
  installArgs,
  installDisk,
  type Lab,
  missingForLab,
  newDiskFile,
  openLab,
  release,
  runInstall,
  statusOf,
} from "./lab.ts";
import type { Disk, Machine } from "./machine.ts";

const missing = await missingForLab();
const why = missing === undefined ? "" : ` (${missing})`;
const BOOT_ID = "cat /proc/sys/kernel/random/boot_id";

let lab: Lab;

/** Makes a new image with a file that hardly compresses, and tags it as `latest`. */
async function releaseNext(tag: string): Promise<void> {
  await release(lab, tag, { lines: ["RUN head -c 20000000 /dev/urandom > /usr/share/random"] });
}

describe.skipIf(missing !== undefined)(`scenarios${why}`, () => {
  let disk: Disk;
  let machine: Machine;

  beforeAll(async () => {
    lab = await openLab("scenarios", { slot: 2 });
    await releaseNext("s1");
    disk = await installDisk(lab, { name: "scenarios", tag: "latest", sizeGiB: 6 });
    machine = await boot(lab, disk, "install");
  });

  afterAll(async () => {
    await machine?.cut();
    await lab?.close();
  });

  async function versions() {
    const { status } = await statusOf(machine);
    const versionOf = (it: keyof typeof status) => {
      const entry = status[it];
      return typeof entry === "object" ? (entry?.image?.version ?? null) : null;
    };
    return [versionOf("staged"), versionOf("booted"), versionOf("rollback")];
  }

  test("inside a container on the host, changing it is refused", async () => {
    const ran = await machine.run("env container=podman bootc upgrade");
    expect(ran.status).not.toBe(0);
    expect(ran.stderr).toContain("this command requires a booted host system");
  });

  test("an unprivileged user cannot upgrade, and is told why", async () => {
    const ran = await machine.run("runuser -u nobody -- bootc upgrade");
    expect(ran.status).not.toBe(0);
    expect(ran.stderr).toContain("This command must be executed as the root user");
  });

  test("--download-only is not booted until --from-downloaded", async () => {
    await releaseNext("s2");
    await machine.must("bootc upgrade --download-only");
    expect((await statusOf(machine)).status.staged?.downloadOnly).toBe(true);
    await machine.reboot();
    machine = await boot(lab, disk, "download-only");
    expect((await versions())[1]).toBe("s1");
    await machine.must("bootc upgrade --download-only");
    await machine.must("bootc upgrade --from-downloaded");
    expect((await statusOf(machine)).status.staged?.downloadOnly).toBe(false);
    await machine.reboot();
    machine = await boot(lab, disk, "from-downloaded");
    expect(await versions()).toEqual([null, "s2", "s1"]);
  });

  test("--apply reboots into the update", async () => {
    await releaseNext("s3");
    // The answer may be lost with the connection.
    await machine.run("bootc upgrade --apply").catch(() => undefined);
    await machine.waitForEnd();
    machine = await boot(lab, disk, "apply");
    expect(await versions()).toEqual([null, "s3", "s2"]);
  });

  test("a rollback discards a staged deployment, and can itself be rolled back", async () => {
    await releaseNext("s4");
    await machine.must("bootc upgrade");
    expect(await versions()).toEqual(["s4", "s3", "s2"]);
    await machine.must("bootc rollback");
    const { status } = await statusOf(machine);
    expect([status.staged, status.rollbackQueued]).toEqual([null, true]);
    await machine.must("bootc rollback");
    expect((await statusOf(machine)).status.rollbackQueued).toBe(false);
    await machine.must("bootc rollback");
    await machine.reboot();
    machine = await boot(lab, disk, "rollback");
    expect(await versions()).toEqual([null, "s2", "s3"]);
    await machine.must("bootc rollback");
    await machine.reboot();
    machine = await boot(lab, disk, "rollback-back");
    expect(await versions()).toEqual([null, "s3", "s2"]);
  });

  test("an origin with packages layered on is not upgraded, and status works", async () => {
    const origin =
      "$(ls -d /sysroot/ostree/deploy/default/deploy/*.origin | grep $(bootc status --json | jq -r .status.booted.ostree.checksum))";
    await machine.must(
      `unshare -m sh -c 'mount -o remount,rw /sysroot; o=${origin}; cp $o /run/origin; printf "\\n[packages]\\nrequested=vim\\n" >> $o'`,
    );
    const ran = await machine.run("bootc upgrade");
    expect(ran.status).not.toBe(0);
    expect(ran.stderr).toMatch(/rpm-ostree/);
    expect((await statusOf(machine)).status.booted?.incompatible).toBe(true);
    await machine.must(
      `unshare -m sh -c 'mount -o remount,rw /sysroot; o=${origin}; cp /run/origin $o'`,
    );
    expect((await statusOf(machine)).status.booted?.incompatible).toBe(false);
  });

  test("the timer updates the machine by itself", async () => {
    await releaseNext("s5");
    const dir = "/etc/systemd/system/bootc-fetch-apply-updates.timer.d";
    const drop =
      "[Timer]\\nOnBootSec=\\nOnUnitInactiveSec=\\nRandomizedDelaySec=0\\nOnActiveSec=5s\\n";
    await machine.must(`mkdir -p ${dir} && printf '${drop}' > ${dir}/soon.conf`);
    await machine.must(
      "systemctl daemon-reload && systemctl start bootc-fetch-apply-updates.timer",
    );
    await machine.waitForEnd();
    machine = await boot(lab, disk, "timer");
    expect(await versions()).toEqual([null, "s5", "s3"]);
    await machine.must(`rm -r ${dir}`);
  });

  test("the service finds nothing new: no reboot", async () => {
    const before = await machine.must(BOOT_ID);
    await machine.must("systemctl start bootc-fetch-apply-updates.service");
    expect(await machine.must(BOOT_ID)).toBe(before);
  });

  test("ten upgrades in a row: two deployments, disk use bounded", {
    timeout: 3_600_000,
  }, async () => {
    const used: number[] = [];
    for (let i = 1; i <= 10; i += 1) {
      await releaseNext(`ten${i}`);
      await machine.must("bootc upgrade");
      await machine.reboot();
      machine = await boot(lab, disk, `ten-${i}`);
      expect((await versions()).slice(0, 2)).toEqual([null, `ten${i}`]);
      used.push(Number(await machine.must("df --output=used -BM /sysroot | tail -1 | tr -d ' M'")));
    }
    const deployments = await machine.must("ls -d /sysroot/ostree/deploy/default/deploy/*.[0-9]");
    expect(deployments.split("\n")).toHaveLength(2);
    await machine.must("ostree fsck --quiet");
    process.stderr.write(`MiB used after each upgrade: ${used.join(" ")}\n`);
    // Each image brings 20 MB of its own; ten kept would be two hundred.
    expect((used.at(-1) ?? 0) - (used[1] ?? 0)).toBeLessThan(60);
  });
});

describe.skipIf(missing !== undefined)(`GRUB of the image${why}`, () => {
  let machine: Machine;

  beforeAll(async () => {
    lab = await openLab("grub", { slot: 2 });
    await releaseNext("g1");
  });

  afterAll(async () => {
    await machine?.cut();
    await lab?.close();
  });

  test("without bootupd the disk starts by itself, before and after an upgrade", async () => {
    const path = join(lab.dir, "grub.raw");
    await newDiskFile(path, 6);
    const args = [...installArgs(lab, "latest"), "--karg", "console=ttyS0", path];
    const ran = await runInstall(lab, [
      ...["to-disk", "--via-loopback", "--filesystem", "ext4", "--bootloader", "grub"],
      ...args,
    ]);
    expect([ran.status, ran.stderr]).toEqual([0, expect.stringContaining("Bootloader: grub")]);
    const disk: Disk = { path, startsItself: true };
    machine = await boot(lab, disk, "grub");
    expect(await machine.must("cat /proc/cmdline")).toContain("BOOT_IMAGE=");
    await releaseNext("g2");
    await machine.must("bootc upgrade");
    await machine.reboot();
    machine = await boot(lab, disk, "grub-upgraded");
    expect((await statusOf(machine)).status.booted?.image?.version).toBe("g2");
    await machine.must("bootc rollback");
    await machine.reboot();
    machine = await boot(lab, disk, "grub-rolled-back");
    expect((await statusOf(machine)).status.booted?.image?.version).toBe("g1");
  });
});
