// What needs the newest ostree and a real boot, in Debian sid from composefs: soft reboots, whose kernel keeps
// running, and kernel arguments with owners.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildBaseImage, buildImage } from "./images.ts";
import {
  boot,
  installDisk,
  type Lab,
  missingForLab,
  openLab,
  release,
  statusOf,
  type Variant,
} from "./lab.ts";
import type { Disk, Machine } from "./machine.ts";
import { waitFor } from "./shell.ts";

const missing = await missingForLab();
const KERNEL_BOOT = "cat /proc/sys/kernel/random/boot_id";
const SOFT_REBOOTS = "systemctl show --property=SoftRebootsCount --value";
const REFUSED =
  "error: Soft reboot was required but staged deployment is not soft-reboot capable: ";

const POLICY = "localhost/bootc-test-policy:sid";

/** The machine has a policy, because bootc compares policies, but it is permissive: the policy is an older release's. */
const PERMISSIVE = {
  "usr/lib/bootc/kargs.d/05-selinux.toml":
    'kargs = ["security=selinux", "selinux=1", "enforcing=0", "audit_backlog_limit=8192"]\n',
};

/** What the kernel ignores at the end of the initramfs makes it another one. */
const OTHER_KERNEL = [
  "RUN for i in /usr/lib/modules/*/initramfs.img; do head -c 512 /dev/zero >> $i; done",
];

describe.skipIf(missing !== undefined)(`soft reboots${missing ? ` (${missing})` : ""}`, () => {
  let lab: Lab;
  let disk: Disk;
  let machine: Machine;

  const releaseNext = async (tag: string, lines: Variant["lines"] = []) => {
    const files = { ...PERMISSIVE, "etc/follows": `${tag}\n` };
    const policy = `COPY --from=${POLICY} /etc/selinux /etc/selinux`;
    await release(lab, tag, { files, lines: [policy, ...lines] });
  };

  beforeAll(async () => {
    lab = await openLab("soft-reboot", { slot: 3, suite: "sid" });
    await buildPolicy(lab.dir);
    await releaseNext("r1");
    disk = await installDisk(lab, { name: "soft-reboot", tag: "latest" });
    machine = await boot(lab, disk, "soft-install");
  });

  afterAll(async () => {
    await machine?.cut();
    await lab?.close();
  });

  /** Runs a command that ends in a soft reboot, and waits for the user space that follows. */
  async function softReboot(command: string, count: number): Promise<void> {
    // The connection ends with the user space.
    await machine.run(command).catch(() => undefined);
    await waitFor(`soft reboot ${count}`, 600_000, async () => {
      if (machine.hasEnded()) throw new Error("the guest ended");
      const ran = await machine.run(SOFT_REBOOTS, 60_000).catch(() => undefined);
      return ran?.stdout.trim() === String(count) ? true : undefined;
    });
  }

  test("the machine runs from composefs, with a policy", async () => {
    expect(await machine.must("findmnt -n -o FSTYPE,SOURCE /")).toContain("overlay");
    expect(await machine.must("cat /sys/fs/selinux/enforce")).toBe("0");
    const { status } = await statusOf(machine);
    expect([status.booted?.image?.version, status.booted?.softRebootCapable]).toEqual([
      "r1",
      false,
    ]);
    expect(await machine.must("systemctl --failed --no-legend")).toBe("");
  });

  test("an upgrade with --soft-reboot=auto --apply keeps the kernel", async () => {
    await machine.must("echo mine > /etc/local; echo v > /var/kept");
    await releaseNext("r2");
    const kernel = await machine.must(KERNEL_BOOT);
    await softReboot("bootc upgrade --soft-reboot=auto --apply", 1);
    expect(await machine.must(KERNEL_BOOT)).toBe(kernel);
    const { status } = await statusOf(machine);
    expect(status.booted?.image?.version).toBe("r2");
    expect(status.staged).toBeNull();
    expect([status.rollback?.image?.version, status.rollback?.softRebootCapable]).toEqual([
      "r1",
      true,
    ]);
    expect(await machine.must("cat /usr/share/variant /etc/follows /etc/local /var/kept")).toBe(
      "r2\nr2\nmine\nv",
    );
    expect(await machine.must("systemctl --failed --no-legend")).toBe("");
    expect((await machine.run("mountpoint --quiet /run/nextroot")).status).not.toBe(0);
  });

  test("so does a rollback that requires it", async () => {
    const kernel = await machine.must(KERNEL_BOOT);
    await softReboot("bootc rollback --soft-reboot=required --apply", 2);
    expect(await machine.must(KERNEL_BOOT)).toBe(kernel);
    const { status } = await statusOf(machine);
    expect([status.booted?.image?.version, status.rollback?.image?.version]).toEqual(["r1", "r2"]);
    expect(status.rollbackQueued).toBe(false);
    expect(await machine.must("cat /usr/share/variant /etc/follows")).toBe("r1\nr1");
  });

  test("with another SELinux policy, it is refused, and not prepared", async () => {
    // What follows the policy in its file has no meaning, but makes it another one.
    await releaseNext("r3", [
      "RUN for i in /etc/selinux/default/policy/policy.*; do echo >> $i; done",
    ]);
    const ran = await machine.run("bootc upgrade --soft-reboot=required");
    expect([ran.status, ran.stderr]).toEqual([
      3,
      expect.stringContaining(`${REFUSED}its SELinux policy is different\n`),
    ]);
    const { status } = await statusOf(machine);
    expect([status.staged?.image?.version, status.staged?.softRebootCapable]).toEqual([
      "r3",
      false,
    ]);
    await machine.must("bootc upgrade --soft-reboot=auto");
    expect((await machine.run("mountpoint --quiet /run/nextroot")).status).not.toBe(0);
  });

  test("with another kernel, it is refused, and auto reboots the machine", async () => {
    await releaseNext("r4", OTHER_KERNEL);
    const ran = await machine.run("bootc upgrade --soft-reboot=required");
    expect([ran.status, ran.stderr]).toEqual([
      3,
      expect.stringContaining(`${REFUSED}its kernel or initramfs is different\n`),
    ]);
    const kernel = await machine.must(KERNEL_BOOT);
    await machine.run("bootc upgrade --soft-reboot=auto --apply").catch(() => undefined);
    await machine.waitForEnd();
    machine = await boot(lab, disk, "soft-other-kernel");
    expect(await machine.must(KERNEL_BOOT)).not.toBe(kernel);
    expect((await statusOf(machine)).status.booted?.image?.version).toBe("r4");
    expect(await machine.must(SOFT_REBOOTS)).toBe("0");
  });

  test("arguments with an owner survive an update, and stand in the way of a soft reboot", async () => {
    const line = await machine.must("cat /proc/cmdline");
    const set = "bootc loader-entries set-options-for-source --source tuned";
    expect(await machine.must(`${set} --options "nohz=on printk.time=1"`)).toMatch(
      /^Kernel arguments for next boot: .* nohz=on printk\.time=1$/m,
    );
    await releaseNext("r5", OTHER_KERNEL);
    const ran = await machine.run("bootc upgrade --soft-reboot=required");
    expect([ran.status, ran.stderr]).toEqual([
      3,
      expect.stringContaining(`${REFUSED}its kernel arguments are different\n`),
    ]);
    await machine.reboot();
    machine = await boot(lab, disk, "soft-arguments");
    expect((await statusOf(machine)).status.booted?.image?.version).toBe("r5");
    expect(wordsOf(await machine.must("cat /proc/cmdline"))).toEqual([
      ...wordsOf(line),
      "nohz=on",
      "printk.time=1",
    ]);
    expect(await machine.must("grep -h ^x- /boot/loader/entries/ostree-2.conf")).toBe(
      "x-options-source-tuned nohz=on printk.time=1",
    );
    expect(await machine.must(`${set} --options "nohz=on printk.time=1"`)).toBe(
      "No changes in the kernel arguments of tuned",
    );
    expect(await machine.must(set)).not.toContain("nohz=on");
  });
});

/**
 * The image whose policy all releases have: that of trixie, made anew by sid's `semodule`. When ostree finalizes an
 * update, it has the policy refreshed, and a policy of older tools would become another one. So would one that was
 * only built: a refresh writes what it reads in another order. A second refresh changes nothing.
 */
async function buildPolicy(context: string): Promise<void> {
  const [sid, trixie] = await Promise.all([
    buildBaseImage({ suite: "sid", packages: [] }),
    buildBaseImage({ suite: "trixie", packages: [] }),
  ]);
  const containerfile = [
    `FROM ${sid}`,
    `COPY --from=${trixie} /etc/selinux /etc/selinux`,
    "RUN rm /etc/selinux/default/policy/policy.*",
    "RUN semodule --noreload --build && semodule --noreload --refresh",
  ];
  await buildImage({ name: POLICY, context, containerfile });
}

/** The arguments that are not the deployment's own, and not the harness's. */
function wordsOf(line: string): readonly string[] {
  return line.split(" ").filter((it) => !/^(?:ostree|console|mitigations|panic)=/.test(it));
}
