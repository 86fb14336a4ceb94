import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { sidOstree } from "./ostree-versions.ts";
import { pushImage } from "./pushed-images.ts";
import { type Registry, startRegistry } from "./registry.ts";
import {
  installFromRegistry,
  makeHost,
  missing,
  type SimulatedHost,
  simulatedOstrees,
} from "./simulated-boot.ts";

const versions = missing ? simulatedOstrees : [...simulatedOstrees, sidOstree()];
const KERNEL = "vmlinuz-6.1.0";
const INITRAMFS = "initramfs-6.1.0.img";
const MIB = 1 << 20;

let registry: Registry;
beforeAll(async () => {
  if (!missing) registry = await startRegistry();
});
afterAll(() => registry?.stop());

describe.skipIf(missing).each(versions)("the kernel of an update on ostree $version", (version) => {
  let host: SimulatedHost;
  let name: string;
  let count = 0;
  const push = (mark: string) =>
    pushImage(`${name}:latest`, {
      version: mark,
      files: {
        "etc/containers/registries.conf": `[[registry]]\nlocation = "${registry.address}"\ninsecure = true\n`,
        "usr/lib/modules/6.1.0/vmlinuz": mark.repeat(MIB),
        "usr/lib/modules/6.1.0/initramfs.img": `${mark}i`.repeat(MIB),
      },
    });
  const boot = () => join(host.sysroot, "boot");

  const install = async (bootMib: number) => {
    name = `${registry.address}/early-${version.version}-${count++}`;
    await push("1");
    host = makeHost(version);
    mkdirSync(boot(), { recursive: true });
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${bootMib}M`, "tmpfs", boot()]);
    installFromRegistry(host, name);
  };
  afterEach(() => {
    execFileSync("umount", [boot()]);
    host.remove();
  });

  const run = (words: string) => {
    const outcome = host.bootc(words);
    expect(outcome.status, `${words}: ${outcome.stderr}`).toBe(0);
    return outcome;
  };
  const booted = () => JSON.parse(run("status --json").stdout).status.booted.image.version;
  const kernels = () =>
    readdirSync(join(boot(), "ostree"))
      .map((it) => join(boot(), "ostree", it))
      .filter((it) => existsSync(join(it, KERNEL)));
  const kernelOf = (mark: string) =>
    kernels().find((it) => readFileSync(join(it, KERNEL), "utf8").startsWith(mark));
  const inodes = (dir: string | undefined) =>
    [KERNEL, INITRAMFS].map((it) => statSync(join(dir ?? "", it)).ino);

  test("is in /boot before the reboot, survives a clean-up, and is not copied again", async () => {
    await install(64);
    await push("2");
    run("upgrade --quiet");
    const dir = kernelOf("2");
    expect(readFileSync(join(dir ?? "", INITRAMFS), "utf8")).toBe("2i".repeat(MIB));
    expect(readdirSync(dir ?? "").sort()).toEqual([INITRAMFS, KERNEL]);
    const before = inodes(dir);
    host.shell("ostree admin cleanup");
    expect(inodes(dir)).toEqual(before);
    // Changes to /etc between staging and the shutdown still land.
    host.shell("echo late >/etc/late");
    host.reboot();
    expect(inodes(kernelOf("2"))).toEqual(before);
    expect(booted()).toBe("2");
    expect(host.shell("cat /etc/late").stdout).toBe("late\n");
    expect(kernels()).toHaveLength(2);
  }, 240_000);

  test("is removed when another update takes its place, and when it is dropped", async () => {
    await install(64);
    await push("2");
    run("upgrade --quiet");
    await push("3");
    run("upgrade --quiet");
    expect(kernelOf("2")).toBeUndefined();
    expect(kernelOf("3")).toBeDefined();
    host.reboot();
    expect(booted()).toBe("3");
    await push("4");
    run("upgrade --quiet --download-only");
    expect(kernelOf("4")).toBeDefined();
    // As a rollback does, for which the oldest ostree is too old.
    host.shell("ostree admin undeploy 0 && ostree admin cleanup");
    expect(kernelOf("4")).toBeUndefined();
  }, 240_000);

  test("waits for the shutdown where /boot has room only for it", async () => {
    await install(11);
    await push("2");
    run("upgrade --quiet");
    expect(kernelOf("2")).toBeUndefined();
    expect(existsSync(join(host.run, "bootc/finalize-staged.env"))).toBe(false);
    host.reboot();
    expect(booted()).toBe("2");
    // The room of what the second kernel would take is missing as well, so ostree has to remove the first.
    await push("3");
    const outcome = host.bootc("upgrade --quiet");
    if (outcome.status === 0) {
      host.reboot();
      expect(booted()).toBe("3");
    } else {
      expect(outcome.stderr).toContain("Insufficient free space in /boot");
    }
  }, 240_000);

  test("is completed by the next run if a run was killed while copying", async () => {
    await install(64);
    await push("2");
    run("upgrade --quiet");
    const dir = kernelOf("2") ?? "";
    host.shell(`rm /boot/ostree/*/${INITRAMFS}`);
    writeFileSync(join(dir, `.${INITRAMFS}.bootc-tmp`), "half");
    run("upgrade --quiet");
    expect(readdirSync(dir).sort()).toEqual([INITRAMFS, KERNEL]);
    host.reboot();
    expect(booted()).toBe("2");
  }, 240_000);
});
