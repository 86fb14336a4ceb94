// Installations over a running ostree system: a deployment is the root, the physical root is below it, and `/boot`
// is mounted separately. bootupctl is a stand-in.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import {
  attach,
  bootc,
  deploymentOf,
  dir,
  entryOf,
  missing,
  mount,
  newDisk,
  newRoot,
  sh,
  tidyUp,
} from "./install-lab.ts";
import { makeInstallableImage } from "./installable-image.ts";

const FSTAB = "UUID=9 /data xfs defaults 0 0\n";

describe.skipIf(missing.length > 0)(
  `over ostree${missing.length > 0 ? `: needs ${missing}` : ""}`,
  () => {
    let image: string;
    beforeAll(async () => {
      image = await makeInstallableImage(join(dir, "over"), {
        version: "1",
        bootupd: "new",
        files: { "etc/fstab": FSTAB },
      });
    });
    afterEach(tidyUp);

    const install = (...args: readonly string[]) =>
      bootc("to-filesystem", "--source-imgref", image, "--skip-finalize", ...args);

    /** A running system: its root, and the physical root. */
    async function newHost(name: string) {
      const physical = await newRoot(`${name}-physical`);
      expect(install("--bootloader", "none", physical).status).toBe(0);
      const host = mount(deploymentOf(physical), name, "--bind");
      mount(physical, `${name}/sysroot`, "--bind");
      return { host, physical };
    }

    function fstabOf(physical: string): string {
      const dir = join(physical, "ostree/deploy/second/deploy");
      const [name = ""] = readdirSync(dir).filter((it) => !it.endsWith(".origin"));
      return readFileSync(join(dir, name, "etc/fstab"), "utf8");
    }

    const alongside = (host: string) =>
      install("--replace", "alongside", "--stateroot", "second", host);

    test("a /boot that is part of the root does not count as separate", async () => {
      const { host, physical } = await newHost("one");
      mount(join(physical, "boot"), "one/boot", "--bind");
      const ran = alongside(host);
      expect([ran.status, ran.stderr]).toEqual([0, expect.stringContaining("complete")]);
      expect(fstabOf(physical)).toBe(FSTAB);
      expect(entryOf(physical)).not.toContain("boot=UUID");
      expect(existsSync(join(physical, "boot/bootupctl.log"))).toBe(true);
    });

    test("a separate /boot gets the new boot files, not the directory below it", async () => {
      const { host, physical } = await newHost("two");
      const device = attach(await newDisk("two-boot.raw", 128));
      sh("mkfs.ext4", "-q", device);
      const boot = mount(device, "two/boot");
      sh("cp", "-a", `${join(physical, "boot")}/.`, boot);
      sh("rm", "-r", join(physical, "boot"));
      sh("mkdir", join(physical, "boot"));
      const ran = alongside(host);
      expect([ran.status, ran.stderr]).toEqual([0, expect.stringContaining("complete")]);
      const uuid = sh("blkid", "-p", "-o", "value", "-s", "UUID", device).trim();
      expect(fstabOf(physical)).toBe(`${FSTAB}UUID=${uuid} /boot ext4 ro 0 0\n`);
      const entries = sh("sh", "-c", `cat ${boot}/loader/entries/*.conf`);
      expect(entries).toMatch(new RegExp(`boot=UUID=${uuid} .*ostree=/ostree/boot\\.[01]/second/`));
      expect(existsSync(join(boot, "bootupctl.log"))).toBe(true);
      expect(readdirSync(join(physical, "boot"))).toEqual([]);
    });
  },
);
