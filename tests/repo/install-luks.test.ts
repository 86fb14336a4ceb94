// Installations to an encrypted root. Kernels of test machines have neither a TPM nor a device mapper, so
// stand-ins for cryptsetup and systemd-cryptenroll record their arguments, and opening gives the partition itself.
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import {
  attach,
  bootcWith,
  deploymentOf,
  dir,
  hash,
  missing,
  mount,
  mountRootPartition,
  newDisk,
  sh,
  tidyUp,
} from "./install-lab.ts";
import { makeInstallableImage } from "./installable-image.ts";

const RECORD = 'echo "$(basename "$0") $*" >> "$LOG"\n';

const CRYPTSETUP = `#!/bin/sh
${RECORD}for last; do :; done
case $1 in
  luksFormat) for it; do case $it in --key-file=*) stat -L --format="key %a %s" "\${it#*=}" >> "$LOG";; esac; done
    [ -z "$KILLS" ] || kill -KILL $PPID;;
  open) mkdir -p /dev/mapper; ln -s "$3" "/dev/mapper/$last";;
  close) rm "/dev/mapper/$last";;
esac
`;

/** `tpm`: the TPMs it reports; `enroll`: how enrolling ends. */
function cryptenroll({ tpm, status }: { readonly tpm: string; readonly status: number }): string {
  const list = tpm === "" ? "echo none >&2; exit 1" : `echo '${tpm}'; exit 0`;
  return `#!/bin/sh\n[ "$1" = --tpm2-device=list ] && { ${list}; }\n${RECORD}exit ${status}\n`;
}

describe.skipIf(missing.length > 0)(
  `tpm2-luks${missing.length > 0 ? `: needs ${missing}` : ""}`,
  () => {
    let image: string;
    const bin = join(dir, "luks-bin");
    const log = join(dir, "luks.log");

    beforeAll(async () => {
      image = await makeInstallableImage(join(dir, "luks"), { version: "1", bootupd: "new" });
      mkdirSync(bin);
    });
    afterEach(tidyUp);

    async function standIns(tpm: { readonly tpm: string; readonly status: number }) {
      await writeFile(log, "");
      await writeFile(join(bin, "cryptsetup"), CRYPTSETUP, { mode: 0o755 });
      await writeFile(join(bin, "systemd-cryptenroll"), cryptenroll(tpm), { mode: 0o755 });
    }

    function install(disk: string, more: Readonly<Record<string, string>> = {}) {
      const common = ["--via-loopback", "--filesystem", "ext4", "--source-imgref", image];
      const env = { PATH: `${bin}:${process.env.PATH}`, LOG: log, ...more };
      return bootcWith(env, "to-disk", "--block-setup", "tpm2-luks", ...common, disk);
    }

    const opened = () =>
      existsSync("/dev/mapper")
        ? readdirSync("/dev/mapper").filter((it) => it.startsWith("luks-"))
        : [];

    test("the root is encrypted, bound to the TPM, and found by the kernel's arguments", async () => {
      await standIns({ tpm: "/dev/tpmrm0 MSFT0101:00 tpm_tis", status: 0 });
      const disk = await newDisk("luks.raw", 2048);
      const ran = install(disk);
      expect([ran.status, ran.stderr]).toEqual([0, expect.stringContaining("complete")]);
      expect(ran.stderr).toContain("Block setup: tpm2-luks\n");
      const lines = readFileSync(log, "utf8").trimEnd().split("\n");
      const format = /--uuid=(\S+) \S+ (\S+)$/.exec(lines[1] ?? "");
      const [, uuid = "", node = ""] = format ?? [];
      const key = "/proc/self/fd/3";
      expect(node).toMatch(/^\/dev\/loop\d+p4$/);
      expect(lines).toEqual([
        "cryptsetup --version",
        `cryptsetup luksFormat --batch-mode --type=luks2 --uuid=${uuid} --key-file=${key} ${node}`,
        "key 600 64",
        `cryptsetup open --key-file=${key} ${node} luks-${uuid}`,
        `systemd-cryptenroll --unlock-key-file=${key} --wipe-slot=all --tpm2-device=auto ${node}`,
        `cryptsetup close --deferred luks-${uuid}`,
      ]);
      expect(opened()).toEqual([]);

      const { partitions } = JSON.parse(sh("sfdisk", "--json", disk)).partitiontable;
      const names = partitions.map((it: { name: string }) => it.name);
      expect(names).toEqual(["BIOS-BOOT", "EFI-SYSTEM", "boot", "root"]);
      const root = mountRootPartition(disk, "luks-root");
      const bootDevice = attach(disk, `--offset=${partitions[2].start * 512}`);
      const boot = mount(bootDevice, "luks-boot", "-o", "ro,noload");
      const bootUuid = sh("blkid", "-p", "-o", "value", "-s", "UUID", bootDevice).trim();
      const [entry = ""] = readdirSync(join(boot, "loader/entries"));
      expect(readFileSync(join(boot, "loader/entries", entry), "utf8")).toMatch(
        new RegExp(
          `^options luks\\.uuid=${uuid} luks\\.options=tpm2-device=auto,headless=true root=UUID=\\S+ rw boot=UUID=${bootUuid} `,
          "m",
        ),
      );
      expect(existsSync(join(boot, "bootupctl.log"))).toBe(true);
      const fstab = readFileSync(join(deploymentOf(root), "etc/fstab"), "utf8");
      expect(fstab).toBe(`UUID=${bootUuid} /boot ext4 ro 0 0\n`);
    });

    test("without a TPM the disk stays as it was", async () => {
      await standIns({ tpm: "", status: 0 });
      const disk = await newDisk("no-tpm.raw", 64);
      const before = hash(disk);
      const ran = install(disk);
      expect([ran.status, ran.stderr]).toEqual([3, expect.stringContaining("has no TPM2 to bind")]);
      expect(hash(disk)).toBe(before);
    });

    test("killed while there is a key: no file with it stays behind, and no other", async () => {
      await standIns({ tpm: "/dev/tpmrm0 MSFT0101:00 tpm_tis", status: 0 });
      const temporary = join(dir, "luks-tmp");
      mkdirSync(temporary);
      // Other programs of this machine have files there, too.
      const inRun = () => readdirSync("/run").filter((it) => /bootc|luks/.test(it));
      const before = inRun();
      const ran = install(await newDisk("killed-luks.raw", 2048), {
        TMPDIR: temporary,
        KILLS: "1",
      });
      expect(ran.signal).toBe("SIGKILL");
      expect(readFileSync(log, "utf8")).toContain("key 600 64\n");
      expect(readdirSync(temporary)).toEqual([]);
      expect(inRun()).toEqual(before);
    });

    test("a TPM that accepts no key: nothing stays open", async () => {
      await standIns({ tpm: "/dev/tpmrm0 MSFT0101:00 tpm_tis", status: 1 });
      const ran = install(await newDisk("broken-tpm.raw", 2048));
      expect(ran.status).toBe(1);
      expect(ran.stderr).toMatch(/error: binding `\/dev\/loop\d+p4` to the TPM: /);
      expect(opened()).toEqual([]);
    });
  },
);
