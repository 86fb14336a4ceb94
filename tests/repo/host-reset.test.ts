import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { deploy, storeImage } from "./deployed-images.ts";
import { pushImage } from "./pushed-images.ts";
import { type Registry, startRegistry } from "./registry.ts";
import {
  installFromRegistry,
  makeHost,
  missing,
  type SimulatedHost,
  simulatedOstrees,
} from "./simulated-boot.ts";

let registry: Registry;
beforeAll(async () => {
  if (!missing) registry = await startRegistry();
});
afterAll(() => registry?.stop());

const BOOT_LINE = "UUID=b /boot ext4 ro 0 0\n";

describe.skipIf(missing).each(simulatedOstrees)("install reset on ostree $version", (version) => {
  let host: SimulatedHost;
  const start = (files: Readonly<Record<string, string>>) => {
    deploy(host, storeImage(host, "os", { version: "1", files }), ["root=UUID=r", "selinux=0"]);
    const text = `UUID=d /data xfs defaults 0 0\n${BOOT_LINE}`;
    host.shell(`rm -rf /etc/fstab; printf '${text.replaceAll("\n", "\\n")}' > /etc/fstab`);
    return host.booted();
  };
  /** The same with an image that `upgrade` finds in a registry, to its digest. */
  const startFromRegistry = async () => {
    const name = `${registry.address}/os`;
    const text = `[[registry]]\nlocation = "${registry.address}"\ninsecure = true\n`;
    const files = { "etc/containers/registries.conf": text };
    const digest = await pushImage(`${name}:latest`, { version: "1", files });
    installFromRegistry(host, name);
    host.shell("true"); // boots, which empties /run
    return digest;
  };
  const reset = (words = "") => host.bootc(`install reset --experimental --quiet ${words}`);
  const stateroots = () => readdirSync(join(host.sysroot, "ostree/deploy")).sort();
  const isThere = (path: string) => existsSync(join(host.run, path));
  beforeEach(() => {
    host = makeHost(version);
  });
  afterEach(() => host?.remove());

  test("the next boot has the image's /etc, with this machine's mount of /boot", () => {
    start({ "etc/fstab": "# of the image\n" });
    const { status, stdout, stderr } = reset("--stateroot anew");
    expect([status, stdout], stderr).toEqual([
      0,
      "The next boot starts in the new stateroot `anew`\n",
    ]);
    expect(isThere("reboot-required")).toBe(true);
    expect(isThere("bootc/staging")).toBe(false);
    host.reboot();
    expect(host.shell("cat /etc/fstab").stdout).toBe(`# of the image\n${BOOT_LINE}`);
    expect(stateroots()).toEqual(["anew", "default"]);
    const entries = join(host.sysroot, "boot/loader/entries");
    const texts = readdirSync(entries).map((it) => readFileSync(join(entries, it), "utf8"));
    expect(texts).toContainEqual(
      expect.stringMatching(/^options root=UUID=r selinux=0 ostree=\S*\/anew\//m),
    );
  });

  test("a deployment that cannot get the mount of /boot does not stay", () => {
    const before = start({ "etc/fstab/file": "" });
    expect(reset().status).toBe(1);
    expect(isThere("ostree/staged-deployment")).toBe(false);
    expect(isThere("reboot-required")).toBe(false);
    host.reboot();
    expect(host.booted()).toBe(before);
  });

  /** Kills a reset when it has staged, before it has the mount of /boot. */
  const killReset = () => {
    const killer =
      '#!/bin/sh\nPATH=$(echo $PATH | sed s,/run/killer:,,) ostree "$@" || exit $?\n' +
      'case "$*" in *--stage*) kill -KILL $PPID;; esac\n';
    mkdirSync(join(host.run, "killer"));
    writeFileSync(join(host.run, "killer/ostree"), killer, { mode: 0o755 });
    const killed = host.shell("PATH=/run/killer:$PATH; bootc install reset --experimental");
    expect(killed.status).toBe(137);
    expect(isThere("ostree/staged-deployment")).toBe(true);
  };

  test("a deployment is not applied when the reset is killed before it has that mount", () => {
    const before = start({});
    killReset();
    host.reboot();
    expect(host.booted()).toBe(before);
    expect(reset().status).toBe(0);
    expect(stateroots()).toHaveLength(2);
  });

  test("what a killed reset has staged is gone for whatever comes next, and its stateroot is used", () => {
    start({});
    killReset();
    const { stderr } = host.bootc("delete-deployment nonsense");
    expect(stderr).toContain("Dropping what an interrupted `install reset` has staged\n");
    expect(isThere("ostree/staged-deployment")).toBe(false);
    expect(isThere("bootc/resetting")).toBe(false);
    expect(stateroots()).toHaveLength(2);
    expect(reset().status).toBe(0);
    expect(stateroots()).toHaveLength(2);
    expect(isThere("bootc/resetting")).toBe(false);
  });

  test("a stateroot that a killed reset has filled is named, with what to do about it", () => {
    start({});
    killReset();
    const [left = ""] = stateroots().filter((it) => it !== "default");
    // As newer versions of ostree copy the files of the image.
    writeFileSync(join(host.sysroot, "ostree/deploy", left, "var/file"), "");
    const { status, stderr } = reset();
    expect(status, stderr).toBe(0);
    expect(stderr).toContain(
      `note: the stateroot \`${left}\` has no deployment, but files in its /var; `,
    );
    expect(stderr).toContain(`remove \`/sysroot/ostree/deploy/${left}\`\n`);
    expect(stateroots()).toHaveLength(3);
  });

  // Older versions are not told to unlock: their file goes.
  if (!version.version.startsWith("2022.")) {
    test("what cannot be unlocked leaves neither a deployment nor a mark", () => {
      start({});
      const failing =
        "#!/bin/sh\nPATH=$(echo $PATH | sed s,/run/failing:,,)\n" +
        'case "$*" in *--unlock*) exit 1;; esac\nexec ostree "$@"\n';
      mkdirSync(join(host.run, "failing"));
      writeFileSync(join(host.run, "failing/ostree"), failing, { mode: 0o755 });
      const command = "PATH=/run/failing:$PATH; bootc install reset --experimental --quiet";
      const { status, stderr } = host.shell(command);
      expect([status, stderr]).toEqual([1, expect.stringContaining("--unlock")]);
      expect(isThere("ostree/staged-deployment")).toBe(false);
      expect(isThere("bootc/staging")).toBe(false);
    });
  }

  test("when nobody can be told of it, the next upgrade does", async () => {
    const digest = await startFromRegistry();
    mkdirSync(join(host.run, "reboot-required"));
    const { status, stderr } = reset();
    expect(status, stderr).toBe(0);
    expect(stderr).toContain("warning: `/run/reboot-required` does not ask for a reboot: ");
    const mark = readFileSync(join(host.run, "bootc/staging"), "utf8");
    expect(mark).toMatch(/^sha256:[0-9a-f]{64}\n/);
    rmdirSync(join(host.run, "reboot-required"));
    const upgrade = host.bootc("upgrade --quiet");
    expect([upgrade.status, upgrade.stdout], upgrade.stderr).toEqual([
      0,
      expect.stringContaining("Staged update present, not changed\n"),
    ]);
    expect(readFileSync(join(host.run, "reboot-required"), "utf8")).toContain(digest);
    expect(isThere("bootc/staging")).toBe(false);
  });

  test("an image that cannot be had leaves no stateroot", () => {
    start({});
    expect(reset("--target-transport oci --target-imgref /nonexistent").status).not.toBe(0);
    expect(stateroots()).toEqual(["default"]);
  });
});
