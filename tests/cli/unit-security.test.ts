import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

const UNITS = join(import.meta.dirname, "../../packaging/rootfs/usr/lib/systemd/system");
/** The other services change disks, mounts or the next boot, and thus need root for all. */
const CONFINED = [
  "bootc-fstab-edit.service",
  "bootc-publish-boot-entries.service",
  "bootc-publish-rhsm-facts.service",
  "bootc-sysusers-shadow-sync.service",
];

const { error, stdout = "" } = spawnSync("systemd-analyze", ["--version"], { encoding: "utf8" });
const version = Number(/^systemd (\d+)/.exec(stdout)?.[1] ?? 0);
// It judges files instead of loaded units from 250 on.
const missing =
  error !== undefined || version < 250 ? " (needs systemd-analyze of 250)" : undefined;

describe.skipIf(missing !== undefined)(`what services may do${missing ?? ""}`, () => {
  test.each(CONFINED)("%s has an exposure of at most 5.0", (unit) => {
    const words = ["security", "--offline=true", "--no-pager", `./${unit}`];
    const judged = spawnSync("systemd-analyze", words, { cwd: UNITS, encoding: "utf8" });
    const [, figure = "10"] = /Overall exposure level for \S+: ([\d.]+)/.exec(judged.stdout) ?? [];
    expect(Number(figure), judged.stderr).toBeLessThanOrEqual(5);
  });
});
