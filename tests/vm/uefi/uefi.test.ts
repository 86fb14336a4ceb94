// Machines with EFI: a guest installs to further disks, and each disk then starts by its firmware, is updated and
// rolled back. BOOTC_VM_UEFI names the cells to try.
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readOwnDenials } from "../../../src/testing/denials.ts";
import {
  type Lab,
  missingForLab,
  newDiskFile,
  openLab,
  pushVariant,
  retag,
  statusOf,
} from "../lab.ts";
import type { Machine } from "../machine.ts";
import { type Cell, chosenCells } from "./cells.ts";
import { bootEfi, forgetBoard, missingForEfi, runUntilRestart } from "./firmware.ts";
import {
  bootInstaller,
  endOf,
  INSTALL_MS,
  INSTALLER,
  MASK_GRUB_COMMON,
  PACKAGES,
  runScript,
} from "./installer.ts";
import { makeKeys, missingForSigning, pushSigned } from "./secure-boot.ts";

const missing = (await missingForLab()) ?? (await missingForEfi()) ?? (await missingForSigning());
const why = missing === undefined ? "" : ` (${missing})`;
const cells = chosenCells(process.env.BOOTC_VM_UEFI);
const isEnforcing = process.env.BOOTC_VM_ENFORCING !== "0";

describe.skipIf(missing !== undefined)(`machines with EFI${why}`, { timeout: 3_600_000 }, () => {
  let lab: Lab;
  let installer: Machine | undefined;
  const installed = new Set<string>();
  const diskOf = (cell: Cell) => join(lab.dir, `${cell.name}.raw`);

  beforeAll(async () => {
    lab = await openLab("uefi", { slot: 5, packages: PACKAGES, isEnforcing });
    await pushVariant(lab, "u1", {
      files: { "usr/lib/bootc/kargs.d/10-test.toml": 'kargs = ["console=ttyS0", "test.u=1"]\n' },
      lines: [MASK_GRUB_COMMON],
    });
    const key = (await readFile(join(lab.dir, "id.pub"))).toString("base64");
    await pushVariant(lab, "u2", {
      files: {
        "usr/lib/bootc/kargs.d/10-test.toml": 'kargs = ["console=ttyS0", "test.u=2"]\n',
        // A reset leaves nothing of the keys that were given at the installation.
        "usr/lib/tmpfiles.d/test-key.conf": `f~ /var/roothome/.ssh/authorized_keys 600 root root - ${key}\n`,
      },
      // A new initramfs: the boot loader has to find other files, and /boot has both.
      lines: [
        MASK_GRUB_COMMON,
        "RUN for it in /usr/lib/modules/*/initramfs.img; do truncate -s +4 $it; done",
      ],
    });
    await retag(lab, "u2", "latest");
    if (cells.some((it) => it.isSigned)) {
      const keys = await makeKeys(lab);
      await pushSigned(lab, keys, { from: "u1", to: "s1" });
      await pushSigned(lab, keys, { from: "u2", to: "s2" });
      await retag(lab, "s2", "signed");
    }
    for (const cell of cells) await newDiskFile(diskOf(cell), 5);
    installer = await bootInstaller(lab, { tag: "u1" }, cells.map(diskOf));
  });

  afterAll(async () => {
    await installer?.cut();
    await lab?.close();
  });

  /** Runs a script of the cell that must succeed; returns what it said. */
  async function install(machine: Machine, cell: Cell, text: string): Promise<string> {
    const [source, target] = cell.isSigned ? ["s1", "signed"] : ["u1", "latest"];
    const script = { text, source, target, index: cells.indexOf(cell) };
    const ran = await runScript(lab, machine, script);
    expect([ran.status, ran.stderr]).toEqual([0, expect.anything()]);
    return ran.stderr;
  }

  test.each(cells)("$name: the running system installs to another disk", async (cell) => {
    const said = await install(installer as Machine, cell, cell.script);
    if (cell.takeover === undefined) for (const it of endOf(cell)) expect(said).toContain(it);
    installed.add(cell.name);
  });

  test("the installing system shuts down", async () => {
    await installer?.run("systemctl poweroff", 60_000);
    await installer?.waitForEnd();
    installer = undefined;
  });

  describe.each(cells)("$name", (cell) => {
    let machine: Machine | undefined;
    const [first, second] = cell.isSigned ? ["s1", "s2"] : ["u1", "u2"];
    const describeMachine = () => ({
      // The TPM that opens the root is that of the installing machine. Others know nothing of the installation.
      board: cell.isEncrypted ? INSTALLER : cell.name,
      disk: { path: diskOf(cell), startsItself: true },
      hasTpm: cell.isEncrypted,
      hasSecureBoot: cell.isSigned === true,
    });
    const consoles: string[] = [];
    const bootNext = async (name: string) => {
      machine = await bootEfi(lab, `${cell.name}-${name}`, describeMachine());
      consoles.push(machine.consolePath);
      return machine;
    };

    beforeAll(async () => {
      expect(installed).toContain(cell.name);
      if (!cell.isEncrypted) await forgetBoard(lab, cell.name);
    });

    afterAll(async () => {
      await machine?.cut();
      await rm(diskOf(cell), { force: true });
    });

    const { takeover } = cell;
    if (takeover !== undefined) {
      test("another system is replaced from inside", async () => {
        const old = await bootNext("old");
        // The old system loads no policy, so its log has no denials.
        consoles.length = 0;
        const said = await install(old, cell, takeover);
        for (const it of endOf(cell)) expect(said).toContain(it);
        await old.reboot();
      });
    }

    if (cell.isSigned) {
      test("the boot loader enrols the keys in a firmware in setup mode", async () => {
        await runUntilRestart(lab, `${cell.name}-enrol`, describeMachine());
      });
    }

    test("starts by its firmware", async () => {
      const it = await bootNext("install");
      const { status } = await statusOf(it);
      expect(status.booted?.image?.version).toBe(first);
      expect([status.staged, status.rollback]).toEqual([null, null]);
      expect(await it.must("cat /proc/cmdline")).toContain("test.u=1");
      expect(await loaderOf(it)).toBe(cell.loader);
      expect(await hasSecureBoot(it)).toBe(cell.isSigned === true);
      const enforce = await it.run("cat /sys/fs/selinux/enforce");
      expect(enforce.stdout).toBe(isEnforcing ? "1" : "");
      expect((await it.must("findmnt -no FSTYPE /sysroot")).trim()).toBe(cell.filesystem);
      const boot = await it.must("stat -c %d /boot/. /sysroot/.");
      expect(new Set(boot.trim().split("\n")).size).toBe(cell.hasBoot ? 2 : 1);
      const types = await it.must(
        "lsblk -nso TYPE $(findmnt -no SOURCE /sysroot | sed 's/\\[.*//')",
      );
      expect(types.includes("crypt")).toBe(cell.isEncrypted);
      // The old system's files stay beside the new one.
      const old = await it.run("cat /sysroot/etc/old-system");
      expect(old.stdout).toBe(cell.takeover === undefined ? "" : "old");
      expect(await it.must("systemctl --failed --no-legend")).toBe("");
    });

    test("is updated", async () => {
      await machine?.must("bootc upgrade", INSTALL_MS);
      expect((await statusOf(machine as Machine)).status.staged?.image?.version).toBe(second);
      await machine?.reboot();
      const it = await bootNext("upgraded");
      const { status } = await statusOf(it);
      expect(status.booted?.image?.version).toBe(second);
      expect(status.rollback?.image?.version).toBe(first);
      expect(await it.must("cat /proc/cmdline")).toContain("test.u=2");
      expect(await it.must("systemctl --failed --no-legend")).toBe("");
      await it.must("ostree fsck --quiet", INSTALL_MS);
    });

    test("is rolled back", async () => {
      await machine?.must("bootc rollback");
      await machine?.reboot();
      const it = await bootNext("rolled-back");
      const { status } = await statusOf(it);
      expect(status.booted?.image?.version).toBe(first);
      expect(status.rollback?.image?.version).toBe(second);
      expect(await it.must("cat /proc/cmdline")).toContain("test.u=1");
    });

    if (cell.isReset) {
      test("is reset to its image, and the old state stays", async () => {
        const image = `${lab.registry.guestName}/os:${second}`;
        const old = machine as Machine;
        await old.must("echo mine > /etc/local; echo mine > /var/local");
        await old.must(`bootc install reset --experimental --target-imgref ${image}`, INSTALL_MS);
        await old.reboot();
        const it = await bootNext("reset");
        const { spec, status } = await statusOf(it);
        expect([spec.image?.image, status.booted?.image?.version]).toEqual([image, second]);
        expect((await it.run("ls -d /etc/local /var/local")).stdout).toBe("");
        expect(await it.must("cat /sysroot/ostree/deploy/default/var/local")).toBe("mine");
        expect(await it.must("cat /proc/cmdline")).toContain("test.u=2");
        expect(await it.must("findmnt --mountpoint /boot -no OPTIONS")).toMatch(/^ro\b/);
        expect(await it.must("systemctl --failed --no-legend")).toBe("");
        await it.must("ostree admin set-default 1");
        await it.reboot();
        const back = await bootNext("reset-back");
        expect((await statusOf(back)).status.booted?.image?.version).toBe(first);
        expect(await back.must("cat /etc/local /var/local")).toBe("mine\nmine");
      });
    }

    const notEnforcing = isEnforcing ? "" : " (BOOTC_VM_ENFORCING=0)";
    const title = `SELinux denied nothing to bootc, and nobody access to its files${notEnforcing}`;
    test.skipIf(!isEnforcing)(title, async () => {
      const logs = await Promise.all(consoles.map((it) => readFile(it, "utf8")));
      expect(logs.length).toBeGreaterThan(2);
      expect(logs.flatMap(readOwnDenials).map((it) => it.line)).toEqual([]);
    });
  });
});

/** The boot loader, by what it leaves behind: GRUB an argument, systemd-boot a variable. */
async function loaderOf(machine: Machine): Promise<string> {
  await machine.must("test -d /sys/firmware/efi");
  if ((await machine.must("cat /proc/cmdline")).includes("BOOT_IMAGE=")) return "grub";
  const text = await machine.must("cat /sys/firmware/efi/efivars/LoaderInfo-* | tr -d '\\0'");
  return text.includes("systemd-boot") ? "systemd" : text;
}

async function hasSecureBoot(machine: Machine): Promise<boolean> {
  // Four bytes of attributes, and one that says so; a firmware without Secure Boot has no such variable.
  const { stdout } = await machine.run("od -An -tu1 /sys/firmware/efi/efivars/SecureBoot-*");
  return stdout.trim().split(/\s+/).at(-1) === "1";
}
