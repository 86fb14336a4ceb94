import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { deploy, storeImage } from "./deployed-images.ts";
import { makeHost, missing, type SimulatedHost, simulatedOstrees } from "./simulated-boot.ts";

const ENTRY = join(import.meta.dirname, "../../src/entry.ts");

/**
 * The program that runs the test is the system: with an overlay over its root, and `/ostree` and `/boot` of
 * the host that was made. The test's own root stays as it is.
 */
const ROOT = `set -e
mount --make-rprivate /
mount -t tmpfs none /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay none -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/root
cd /mnt/root
rm -rf ostree
mkdir -p ostree boot run
mount --bind "$1/ostree" ostree
mount --bind "$1/boot" boot
mount --rbind /dev dev
mount -t proc proc proc
mount -t tmpfs none run
mount --rbind /var/cache var/cache
mount --bind ${dirname(dirname(import.meta.dirname))} ./${dirname(dirname(import.meta.dirname))}
if [ -n "$2" ]; then touch run/ostree-booted; fi
exec chroot . ${process.execPath} ${ENTRY} state wipe-ostree`;

describe.skipIf(missing).each(simulatedOstrees)(
  "state wipe-ostree on ostree $version",
  (version) => {
    let host: SimulatedHost;
    const wipe = (mark = "") => {
      const args = ["--mount", "--pid", "--fork", "sh", "-c", ROOT, "sh", host.sysroot, mark];
      return spawnSync("unshare", args, { encoding: "utf8", env: { ...version.env } });
    };
    const entries = () => readdirSync(join(host.sysroot, "boot/loader/entries"));
    beforeEach(() => {
      host = makeHost(version);
      for (const it of ["1", "2"]) deploy(host, storeImage(host, `os${it}`, { version: it }), []);
    });
    afterEach(() => host?.remove());

    test("all deployments go, and a second run finds none", () => {
      expect(entries().length).toBe(2);
      expect(wipe()).toMatchObject({ status: 0, stdout: "Deleted deployments: 2\n" });
      const deploys = join(host.sysroot, "ostree/deploy/default/deploy");
      expect([readdirSync(deploys), entries()]).toEqual([[], []]);
      expect(existsSync(join(host.sysroot, "ostree/repo/config"))).toBe(true);
      expect(wipe()).toMatchObject({ status: 0, stdout: "Deleted deployments: 0\n" });
    });

    test("a system that runs from one of them is refused", () => {
      const { status, stdout, stderr } = wipe("booted");
      expect([status, stdout]).toEqual([3, ""]);
      expect(stderr).toContain("error: this system runs from one of the deployments\nhint: ");
      expect(entries().length).toBe(2);
    });
  },
);
