// The core path of a machine's life: installed, switched, updated, rolled back, with failures on the way. The machine
// enforces an SELinux policy that gives no domain but ours executable memory; with BOOTC_VM_ENFORCING=0, it has none.
import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readOwnDenials } from "../../src/testing/denials.ts";
import {
  boot,
  installDisk,
  type Lab,
  missingForLab,
  openLab,
  pushVariant,
  release,
  retag,
  statusOf,
} from "./lab.ts";
import type { Disk, Machine } from "./machine.ts";

const missing = await missingForLab();
const isEnforcing = process.env.BOOTC_VM_ENFORCING !== "0";
/** What needs an enforcing machine is no test of another. */
const whenEnforcing = (title: string, body: () => Promise<void>) => {
  if (isEnforcing) test(title, body);
};

describe.skipIf(missing !== undefined)(`core path${missing ? ` (${missing})` : ""}`, () => {
  let lab: Lab;
  let disk: Disk;
  let machine: Machine;
  let hostKey: string;
  const consoles: string[] = [];
  const bootNext = async (name: string): Promise<Machine> => {
    const booted = await boot(lab, disk, name);
    consoles.push(booted.consolePath);
    return booted;
  };

  beforeAll(async () => {
    lab = await openLab("core", { slot: 0, isEnforcing });
    await release(lab, "v1", {
      files: {
        "usr/lib/bootc/kargs.d/10-test.toml": 'kargs = ["test.one=1", "test.two=1"]\n',
        "etc/follows": "v1\n",
        "etc/changed-here": "v1\n",
        "etc/deleted-here": "v1\n",
      },
    });
    disk = await installDisk(lab, { name: "core", tag: "latest" });
  });

  afterAll(async () => {
    await machine?.cut();
    await lab?.close();
  });

  test("the installed machine boots and reports its status", async () => {
    machine = await bootNext("install");
    const { spec, status } = await statusOf(machine);
    expect(spec.image?.image).toBe(`${lab.registry.guestName}/os:latest`);
    expect(status.booted?.image?.version).toBe("v1");
    expect(status.booted?.image?.image.transport).toBe("registry");
    expect(status.staged).toBeNull();
    expect(status.rollback).toBeNull();
    const human = await machine.must("bootc status --format humanreadable");
    expect(human).toContain(`${lab.registry.guestName}/os:latest`);
    expect(human).toContain("Booted");
    expect(await machine.must("systemctl --failed --no-legend")).toBe("");
    expect(await machine.must("cat /proc/cmdline")).toContain("test.one=1 test.two=1");
    expect(await machine.must("cat /sysroot/.bootc-aleph.json")).toContain('"target-image"');
    expect(await machine.must("systemctl is-active bootc-status-updated.path")).toBe("active");
  });

  whenEnforcing("it enforces its policy, and every file has a label", async () => {
    expect(await machine.must("cat /sys/fs/selinux/enforce")).toBe("1");
    expect(await machine.must("cat /sys/fs/selinux/booleans/allow_execmem")).toBe("0 0");
    // The repository keeps the files of layers as they came.
    const kept = "-path '*/ostree/repo/objects' -prune";
    const unlabelled = `find / -xdev ${kept} -o -context '*:unlabeled_t:*' -print | head -50`;
    expect(await machine.must(unlabelled)).toBe("");
    expect(await machine.must("ls -Z /usr/bin/bootc")).toContain(":bootc_exec_t:");
  });

  whenEnforcing("verbs that change nothing work as well", async () => {
    const verbs = [
      ...["image list", "config-diff", "updates status", "updates check", "updates config"],
      ...["internals fsck", "internals cleanup", "install print-configuration"],
      "internals ostree-container image list --repo=/ostree/repo",
    ];
    for (const verb of verbs) await machine.must(`bootc ${verb}`);
    await machine.must("EDITOR=true bootc edit");
  });

  test("an unprivileged user gets the status", async () => {
    await machine.must("useradd --create-home --shell /bin/sh tester");
    const text = await machine.must("runuser -u tester -- bootc status --json");
    expect(JSON.parse(text).status.booted.image.version).toBe("v1");
  });

  test("with the registry gone an upgrade fails as network and changes nothing", async () => {
    await lab.registry.stop();
    const before = await machine.must("ostree admin status; ls -R /boot");
    const ran = await machine.run("bootc upgrade");
    await lab.registry.start();
    expect([ran.status, ran.stderr]).toEqual([4, expect.stringContaining("error: ")]);
    expect(await machine.must("ostree admin status; ls -R /boot")).toBe(before);
  });

  test("nothing new: says so, and --apply does not reboot", async () => {
    const check = await machine.must("bootc upgrade --check 2>&1");
    expect(check).toContain("No changes");
    const before = await machine.must("cat /proc/sys/kernel/random/boot_id");
    expect(await machine.must("bootc upgrade --apply 2>&1")).toContain("No update available");
    // The unit that the timer starts.
    await machine.must("systemctl start bootc-fetch-apply-updates.service");
    expect(await machine.must("cat /proc/sys/kernel/random/boot_id")).toBe(before);
  });

  test("switch to a derived image, keeping this machine's own files", async () => {
    hostKey = await machine.must("cat /etc/ssh/ssh_host_ed25519_key.pub");
    await machine.must(
      "echo mine > /etc/local; echo mine > /etc/changed-here; rm /etc/deleted-here; echo v > /var/kept",
    );
    await pushVariant(lab, "v2", {
      files: {
        "usr/lib/bootc/kargs.d/10-test.toml": 'kargs = ["test.one=2", "test.three=1"]\n',
        "usr/share/new-in-v2": "v2\n",
        "etc/follows": "v2\n",
        "etc/changed-here": "v2\n",
        "etc/deleted-here": "v2\n",
      },
    });
    await machine.must(`bootc switch ${lab.registry.guestName}/os:v2`);
    const { spec, status } = await statusOf(machine);
    expect(spec.image?.image).toBe(`${lab.registry.guestName}/os:v2`);
    expect(status.staged?.image?.version).toBe("v2");
    await machine.reboot();

    machine = await bootNext("switch");
    const after = await statusOf(machine);
    expect(after.status.booted?.image?.version).toBe("v2");
    expect(after.status.rollback?.image?.version).toBe("v1");
    expect(await machine.must("cat /usr/share/new-in-v2 /etc/follows")).toBe("v2\nv2");
    expect(await machine.must("cat /etc/local /etc/changed-here /var/kept")).toBe("mine\nmine\nv");
    expect((await machine.run("test -e /etc/deleted-here")).status).toBe(1);
    expect(await machine.must("cat /etc/ssh/ssh_host_ed25519_key.pub")).toBe(hostKey);
    expect(await machine.must("id -un tester && ls /home")).toContain("tester");
    expect(await machine.must("systemctl --failed --no-legend")).toBe("");
    const cmdline = await machine.must("cat /proc/cmdline");
    expect(cmdline).toContain("test.one=2");
    expect(cmdline).toContain("test.three=1");
    expect(cmdline).not.toMatch(/test\.one=1|test\.two/);
  });

  test("no room on the disk: a clear error, nothing changed, and the next run succeeds", async () => {
    await pushVariant(lab, "v3", {
      files: { "usr/share/new-in-v3": "v3\n" },
      lines: ["RUN head -c 120000000 /dev/urandom > /usr/share/large"],
    });
    await retag(lab, "v3", "v2");
    await machine.must(
      "free=$(df --output=avail -B1M /var | tail -1); fallocate -l $((free - 250))M /var/filler",
    );
    const before = await machine.must("ostree admin status");
    const ran = await machine.run("bootc upgrade");
    expect([ran.status, ran.stderr]).toEqual([8, expect.stringContaining("error: ")]);
    expect(await machine.must("ostree admin status")).toBe(before);
    await machine.must("rm /var/filler");
    expect(await machine.must("bootc upgrade --check 2>&1")).toContain("Update available");
    await machine.must("bootc upgrade");
    expect((await statusOf(machine)).status.staged?.image?.version).toBe("v3");
  });

  test("the timer's unit prefers a newer version to the staged one, and reboots into it", async () => {
    await machine.must("bootc usr-overlay && echo gone > /usr/share/written-here");
    await pushVariant(lab, "v4");
    await retag(lab, "v4", "v2");
    await machine.must("systemctl start --no-block bootc-fetch-apply-updates.service");
    // The unit pulls and stages before it reboots.
    await machine.waitForEnd(1_500_000);
    machine = await bootNext("upgrade");
    const { status } = await statusOf(machine);
    expect(status.booted?.image?.version).toBe("v4");
    expect(status.rollback?.image?.version).toBe("v2");
    expect((await machine.run("test -e /usr/share/written-here")).status).toBe(1);
    // The image no longer has kernel arguments.
    expect(await machine.must("cat /proc/cmdline")).not.toContain("test.");
    await machine.must("ostree fsck --quiet");
  });

  test("rollback returns to the previous system", async () => {
    await machine.must("bootc rollback");
    expect((await statusOf(machine)).status.rollbackQueued).toBe(true);
    await machine.reboot();
    machine = await bootNext("rollback");
    const { status } = await statusOf(machine);
    expect(status.booted?.image?.version).toBe("v2");
    expect(status.rollback?.image?.version).toBe("v4");
    expect(await machine.must("cat /proc/cmdline")).toContain("test.three=1");
  });

  whenEnforcing("SELinux denied nothing to bootc, and nobody access to its files", async () => {
    // The connection ends with the machine, which bootc itself reboots.
    await machine.run("bootc rollback --apply", 60_000);
    await machine.waitForEnd();
    const logs = await Promise.all(consoles.map((it) => readFile(it, "utf8")));
    expect(logs).toHaveLength(4);
    expect(logs.flatMap(readOwnDenials).map((it) => it.line)).toEqual([]);
  });
});
