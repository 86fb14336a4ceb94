import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { deploy, type StoredImage, storeImage } from "./deployed-images.ts";
import { readSamples } from "./page-samples.ts";
import { makeHost, missing, type SimulatedHost, simulatedOstrees } from "./simulated-boot.ts";

describe.skipIf(missing).each(simulatedOstrees)(
  "delete-deployment on ostree $version",
  (version) => {
    let host: SimulatedHost;
    let images: readonly StoredImage[];
    const names = () =>
      [...host.shell("ostree admin status").stdout.matchAll(/^[* ] \S+ ([0-9a-f]{64})\.\d+/gm)].map(
        ([, it]) => images.findIndex(({ commit }) => commit === it),
      );
    const stage = (image: StoredImage | undefined) => {
      writeFileSync(
        join(host.run, "origin"),
        `[origin]\ncontainer-image-reference=${image?.origin}\n`,
      );
      const words = "--stage --os=default --origin-file=/run/origin";
      const { status, stderr } = host.shell(
        `mount -o remount,rw /sysroot; ostree admin deploy ${words} ${image?.commit}`,
      );
      expect(status, stderr).toBe(0);
    };
    beforeAll(() => {
      host = makeHost(version);
      images = ["0", "1", "2", "3"].map((it) => storeImage(host, `os${it}`, { version: it }));
      const [pinned, older, booted] = images;
      if (!pinned || !older || !booted) throw new Error("unreachable");
      deploy(host, pinned, ["root=UUID=x"]);
      host.outside("ostree", "admin", "pin", `--sysroot=${host.sysroot}`, "0");
      deploy(host, older, []);
      deploy(host, booted, []);
      host.shell("true");
      stage(images[3]);
    });
    afterAll(() => host?.remove());

    test("the booted one and unknown ones are refused", () => {
      const before = names();
      expect(before[0]).toBe(3);
      for (const sample of readSamples("delete-deployment.md").slice(-1)) {
        const { status, stderr } = host.shell(sample.command);
        expect([status, stderr]).toEqual([2, sample.output]);
      }
      expect(host.bootc("delete-deployment booted").status).toBe(2);
      expect(host.bootc("delete-deployment").status).toBe(2);
      expect(host.bootc("delete-deployment nonsense").stderr).toContain(
        "error: Deployment nonsense not found\nhint: this host has: staged ",
      );
      expect(names()).toEqual(before);
    });

    test("dropping what is staged withdraws its reboot and removes its image", () => {
      writeFileSync(join(host.run, "reboot-required"), "bootc: Reboot required for image: x\n");
      const { status, stdout, stderr } = host.bootc("delete-deployment staged");
      expect([status, stderr]).toEqual([0, ""]);
      expect(stdout).toMatch(
        /^Deleted deployment: [0-9a-f]{64}\.0 \(staged\)\nNext boot: current deployment\nPruned images: 1/,
      );
      expect(names()[0]).toBe(2);
      expect(names()).not.toContain(3);
      for (const it of ["reboot-required", "ostree/staged-deployment"]) {
        expect(existsSync(join(host.run, it))).toBe(false);
      }
      expect(host.outside("ostree", "refs", `--repo=${host.repo}`)).not.toContain("os3");
      expect(host.shell("touch /sysroot/x").status).not.toBe(0);
    });

    test("a pinned deployment goes by its name, and everything else stays", () => {
      expect(names()).toContain(0);
      const name = images[0]?.commit.slice(0, 12);
      const { status, stdout } = host.bootc(`delete-deployment ${name}`);
      expect([status, stdout]).toEqual([
        0,
        expect.stringMatching(/^Deleted deployment: .* \(pinned\)\n/),
      ]);
      expect(names()).toEqual([2, 1]);
    });

    test("a queued rollback is cancelled, and --json answers with the host document", () => {
      const canQueue = version.version !== "2022.7";
      expect(host.bootc("rollback").status).toBe(canQueue ? 0 : 3);
      expect(existsSync(join(host.run, "reboot-required"))).toBe(canQueue);
      const { status, stdout } = host.bootc("delete-deployment rollback --json");
      const document = JSON.parse(stdout);
      expect([status, document.status.rollback, document.status.rollbackQueued]).toEqual([
        0,
        null,
        false,
      ]);
      expect(names()).toEqual([2]);
      expect(existsSync(join(host.run, "reboot-required"))).toBe(false);
      expect(readFileSync(join(host.sysroot, "ostree/repo/config"), "utf8")).toContain("[core]");
      host.reboot();
      expect(host.booted()).toBe(`${images[2]?.commit}.0`);
      expect(host.outside("ostree", "fsck", `--repo=${host.repo}`)).toContain("no errors found");
    });
  },
);
