// A new system on trial where something is not as it mostly is: the boot loader, the order, ostree, or the gate itself.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type HealthHost, makeHealthHost, REBOOT, SCRIPT } from "./health-host.ts";
import { type Registry, startRegistry } from "./registry.ts";
import { missing, type SimulatedHost, simulatedOstrees } from "./simulated-boot.ts";

const newest = simulatedOstrees.slice(-1);
const UNITS = join(import.meta.dirname, "../../packaging/rootfs/usr/lib/systemd/system");

let registry: Registry;
beforeAll(async () => {
  if (!missing) registry = await startRegistry();
});
afterAll(() => registry?.stop());

describe.skipIf(missing).each(newest)(
  "the health gate under strain on ostree $version",
  (version) => {
    let health: HealthHost;
    let host: SimulatedHost;
    beforeEach(async () => {
      health = await makeHealthHost(version, registry);
      host = health.host;
    });
    afterEach(() => host.remove());
    const push: HealthHost["push"] = (...words) => health.push(...words);
    const run = (command: string) => health.run(command);
    const start = (unit?: string) => health.start(unit);
    const applyUpdate = () => health.applyUpdate();
    const updates = () => health.updates();
    const runningVersion = () => health.runningVersion();
    const trial = () => health.trial();
    const grubSays = (text: string) => health.grubSays(text);
    const grubenv = () => health.grubenv();

    /** The new system is on trial, and runs. */
    async function tryUpdate(files: Parameters<typeof push>[1] = {}): Promise<void> {
      await push("2", files);
      run("bootc upgrade");
      applyUpdate();
      start("failed");
      run(`${SCRIPT} begin`);
    }
    const ostreeWhichAfterwards = (line: string) =>
      health.putProgram("ostree", `#!/bin/sh\nPATH=\${PATH#/run/bin:}\nostree "$@"\n${line}\n`);

    test("the system that runs is found by what ostree says of an overlay", async () => {
      await tryUpdate();
      const stat = run("stat -c '%d %i' /sysroot/ostree/deploy/default/deploy/*.0");
      const other = stat
        .split("\n")
        .find((it) => it !== "" && it !== run("stat -c '%d %i' /").trim());
      const [dev, ino] = (other ?? "").split(" ").map(BigInt);
      const bytes = Buffer.alloc(55);
      bytes.write("backing-root-device-inode");
      bytes.writeBigUInt64LE(dev ?? 0n, 32);
      bytes.writeBigUInt64LE(ino ?? 0n, 40);
      bytes.write("(tt)", 49);
      bytes.set([26, 54], 53);
      writeFileSync(join(host.run, "ostree-booted"), bytes);
      expect(runningVersion()).toBe("1");
      run(`${SCRIPT} begin`);
      expect(trial().state).toBe("returned");
    }, 300_000);

    test("a system whose gate is masked is not on trial, and ends that of the last one", async () => {
      grubSays("save_env bootc_try");
      await tryUpdate();
      expect(grubenv()).toBe("bootc_try=1\n");
      run("mkdir -p /etc/systemd/system");
      run("ln -s /dev/null /etc/systemd/system/bootc-health.service");
      await push("3");
      run("bootc upgrade");
      applyUpdate();
      expect([trial().state, grubenv()]).toEqual([undefined, ""]);
    }, 300_000);

    test.each([
      [
        "the new system has no program for GRUB",
        { "usr/bin/grub2-editenv": undefined },
        "ext4 /dev/vda2",
      ],
      ["GRUB cannot save", {}, "btrfs /dev/vda2[/boot]"],
      ["/boot is on LVM", {}, "ext4 /dev/mapper/vg-boot"],
    ])(
      "GRUB is left alone if %s",
      async (_, files, mount) => {
        grubSays("save_env bootc_try");
        health.putProgram("findmnt", `#!/bin/sh\necho '${mount}'\n`);
        await push("2", files);
        run("bootc upgrade");
        applyUpdate();
        expect([trial().state, trial().loader, grubenv()]).toEqual(["armed", "none", ""]);
      },
      300_000,
    );

    test("an order that ostree changed before it failed stays changed", async () => {
      await tryUpdate();
      ostreeWhichAfterwards('case "$*" in *set-default*) exit 1 ;; esac');
      expect(host.shell(`${SCRIPT} check`).status).toBe(1);
      start();
      expect(runningVersion()).toBe("1");
    }, 300_000);

    test("an order that a person changed meanwhile stays, without GRUB's second entry", async () => {
      grubSays("save_env bootc_try");
      await tryUpdate();
      run("ostree admin set-default 1");
      expect(host.shell(`${SCRIPT} check`).status).toBe(1);
      expect(grubenv()).toBe("");
      start();
      expect(runningVersion()).toBe("1");
    }, 300_000);

    test("GRUB, which reads no journal, finds what was written before a crash", async () => {
      grubSays("save_env bootc_try");
      await push("2");
      run("bootc upgrade");
      applyUpdate();
      start();
      const raw = run(`
        cp /boot/grub2/* /run/ && truncate -s 16M /run/boot.img && mkfs.ext4 -q /run/boot.img
        mount -o loop /run/boot.img /boot/grub2 && cp /run/grub.cfg /run/grubenv /boot/grub2/
        grub2-editenv /boot/grub2/grubenv set bootc_try=0
        umount /boot/grub2 && mount -o loop /run/boot.img /boot/grub2
        ${SCRIPT} begin
        debugfs -R 'cat /grubenv' /run/boot.img 2> /dev/null`);
      expect(raw).toMatch(/^bootc_try=1\n#+$/);
    }, 300_000);

    test("GRUB's last try is the last, even if its own note of that is lost", async () => {
      grubSays("save_env bootc_try");
      await tryUpdate();
      expect([trial().starts, grubenv()]).toEqual(["1", "bootc_try=1\n"]);
      start();
      run(`${SCRIPT} begin`);
      expect([trial().starts, grubenv()]).toEqual(["2", "bootc_try=0\n"]);
    }, 300_000);

    test("ostree works with the rights of the services", async () => {
      await tryUpdate();
      for (const unit of ["arm", "begin", "deadline"]) {
        const text = readFileSync(join(UNITS, `bootc-health-${unit}.service`), "utf8");
        const names = /^CapabilityBoundingSet=(.+)$/m.exec(text)?.[1]?.split(" ") ?? [];
        const rights = names.map((it) => `+${it.replace("CAP_", "").toLowerCase()}`).join();
        const command = `setpriv --bounding-set=-all,${rights} ostree admin set-default 1`;
        run(`mount -o remount,rw /sysroot && ${command}`);
      }
      start();
      expect(runningVersion()).toBe("1");
    }, 300_000);

    test("the old system stays GRUB's choice until the order can be changed", async () => {
      grubSays("save_env bootc_try");
      await tryUpdate();
      run("ostree admin set-default 1");
      start();
      run("ostree admin set-default 1");
      run("touch /boot/loader/syslinux.cfg");
      health.putProgram("ostree", "#!/bin/false\n");
      run(`${SCRIPT} begin`);
      expect([trial().state, trial().loader, grubenv()]).toEqual([
        ...["returning", "grub-once", "bootc_try=0\n"],
      ]);
      start();
      run("rm /boot/loader/syslinux.cfg");
    }, 300_000);

    test("a newer update that was staged meanwhile is dropped on the way back", async () => {
      await tryUpdate();
      await push("3");
      run("bootc upgrade");
      expect(host.shell(`${SCRIPT} check`).status).toBe(1);
      expect(host.calls()).toContain(REBOOT);
      start();
      expect(runningVersion()).toBe("1");
    }, 300_000);

    test("without an entry of the old system, nothing is tried", async () => {
      await tryUpdate();
      run("ostree admin undeploy 1");
      expect(host.shell(`${SCRIPT} check`).status).toBe(1);
      expect([trial().state, host.calls().includes(REBOOT)]).toEqual(["stuck", false]);
      expect(updates().health).toMatchObject({
        outcome: "stuck",
        reason: "`ssh.service` has failed",
      });
    }, 300_000);

    test("a start that was not counted early is counted by the check", async () => {
      await push("2");
      run("bootc upgrade");
      applyUpdate();
      start();
      run(`${SCRIPT} check`);
      expect(trial().state).toBeUndefined();
    }, 300_000);

    test("a file that does not describe a trial is removed", () => {
      run("mount -o remount,rw /sysroot && mkdir -p /sysroot/ostree/bootc/health");
      run("mount -o remount,rw /sysroot && echo state=odd > /sysroot/ostree/bootc/health/trial");
      run(`${SCRIPT} begin`);
      expect(host.shell("test -e /sysroot/ostree/bootc/health/trial").status).toBe(1);
    }, 300_000);

    test("inhibitors do not keep a machine from going back", async () => {
      await tryUpdate();
      writeFileSync(join(host.run, "refused"), `${REBOOT.replace("systemctl ", "")}\n`);
      expect(host.shell(`${SCRIPT} check`).status).toBe(1);
      expect(host.calls().slice(-1)).toEqual(["systemctl --force reboot"]);
    }, 300_000);
  },
);
