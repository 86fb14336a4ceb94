// Kernel arguments with owners, judged by the boot loader entries that ostree writes.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { deploy, type StoredImage, storeImage } from "./deployed-images.ts";
import { sidOstree, trixieOstree } from "./ostree-versions.ts";
import { readSamples } from "./page-samples.ts";
import { pushImage } from "./pushed-images.ts";
import { type Registry, startRegistry } from "./registry.ts";
import { installFromRegistry, makeHost, missing, type SimulatedHost } from "./simulated-boot.ts";

const TUNED = "x-options-source-tuned";
const ADMIN = "x-options-source-admin";

/** The fields of the entry that boots next. */
function entryOf(host: SimulatedHost) {
  const dir = join(host.sysroot, "boot/loader/entries");
  const fields = readdirSync(dir).map((name) =>
    Object.fromEntries(
      readFileSync(join(dir, name), "utf8")
        .trimEnd()
        .split("\n")
        .map((line) => line.split(/ (.*)/s, 2)),
    ),
  );
  const [best] = fields.sort((a, b) => Number(b.version) - Number(a.version));
  return { ...best, options: best?.options.replace(/ ?ostree=\S+/, "") };
}

describe.skipIf(missing)("loader-entries on the newest ostree", () => {
  let host: SimulatedHost;
  let image: StoredImage;
  beforeAll(() => {
    host = makeHost(sidOstree());
    image = storeImage(host, "os", { version: "1" });
    deploy(host, image, ["root=UUID=x", "rw"]);
  });
  afterAll(() => host.remove());

  const set = (words: string) => host.bootc(`loader-entries set-options-for-source ${words}`);
  const entry = () => entryOf(host);
  const staged = () => JSON.parse(host.bootc("status --json").stdout).status.staged;

  test("arguments and their owner are in the entry after the next boot", () => {
    expect(set('--source tuned --options "isolcpus=1 nohz=on"')).toEqual({
      status: 0,
      stdout: "Kernel arguments for next boot: root=UUID=x rw isolcpus=1 nohz=on\n",
      stderr: "",
    });
    expect(staged().image.imageDigest).toBe(image.digest);
    expect(readFileSync(join(host.run, "reboot-required"), "utf8")).toContain(image.digest);
    host.reboot();
    expect(entry()).toMatchObject({
      options: "root=UUID=x rw isolcpus=1 nohz=on",
      [TUNED]: "isolcpus=1 nohz=on",
    });
    expect(host.booted()).toBe(`${image.commit}.1`);
  });

  test("the same request again stages nothing", () => {
    expect(set('--source tuned --options "isolcpus=1 nohz=on"')).toEqual({
      status: 0,
      stdout: "No changes in the kernel arguments of tuned\n",
      stderr: "",
    });
    expect(existsSync(join(host.run, "ostree/staged-deployment"))).toBe(false);
  });

  test("two owners before one reboot, of which the second builds on what is staged", () => {
    expect(set("--source tuned --options isolcpus=2").status).toBe(0);
    expect(set("--source admin --options quiet").stdout).toBe(
      "Kernel arguments for next boot: root=UUID=x rw isolcpus=2 quiet\n",
    );
    host.reboot();
    expect(entry()).toMatchObject({
      options: "root=UUID=x rw isolcpus=2 quiet",
      [TUNED]: "isolcpus=2",
      [ADMIN]: "quiet",
    });
  });

  test("an owner that gives up is not inherited, and the other owner keeps its arguments", () => {
    expect(set("--source tuned").status).toBe(0);
    host.reboot();
    expect(entry()).toMatchObject({
      options: "root=UUID=x rw quiet",
      [TUNED]: "",
      [ADMIN]: "quiet",
    });
  });

  test("another image keeps the owners, and a request changes the staged image", () => {
    const next = storeImage(host, "os", { version: "2" });
    const origin = `/sysroot/ostree/deploy/default/deploy/${host.booted()}.origin`;
    host.shell(`ostree admin deploy --stage --os=default --origin-file=${origin} ${next.commit}`);
    expect(set('--source tuned --options "nohz=on"').status).toBe(0);
    expect(staged().image.version).toBe("2");
    host.reboot();
    expect(host.booted()).toContain(next.commit);
    expect(entry()).toMatchObject({
      options: "root=UUID=x rw quiet nohz=on",
      [TUNED]: "nohz=on",
      [ADMIN]: "quiet",
    });
  });

  test("a pin is not inherited, and a lock is kept", () => {
    host.shell("mount -o remount,rw /sysroot; ostree admin pin 0");
    host.shell(`ostree admin deploy --stage --lock-finalization --os=default ${image.commit}`);
    expect(staged()).toMatchObject({ downloadOnly: true });
    expect(set("--source tuned --options nohz=off").status).toBe(0);
    expect(staged()).toMatchObject({ downloadOnly: true, pinned: false });
    expect(existsSync(join(host.run, "reboot-required"))).toBe(false);
    host.shell("ostree admin cleanup; ostree admin undeploy 0");
    host.reboot();
    expect(set("--source tuned --options nohz=off").status).toBe(0);
    expect(staged()).toMatchObject({ downloadOnly: false, pinned: false });
    host.shell("ostree admin undeploy 0");
  });

  test("--json prints the host document", () => {
    const { status, stdout, stderr } = set("--source json --options quiet --json");
    expect([status, stderr]).toEqual([0, ""]);
    expect(stdout).toBe(host.bootc("status --json").stdout);
  });

  test.each([
    { words: "--options x", want: "error: required option '--source <name>' not specified\n" },
    { words: "--source 'a b'", want: "error: `a b` is not a valid name of a source\n" },
    {
      words: "--source a --options 'x=\"y'",
      want: "error: the options have a quote that is not closed\n",
    },
  ])("refused: $words", ({ words, want }) => {
    const { status, stderr } = set(words);
    expect(status).toBe(2);
    expect(stderr).toContain(want);
  });

  test("what a reset has staged gets no other arguments", () => {
    expect(host.bootc("install reset --experimental --quiet --stateroot anew").status).toBe(0);
    const before = readFileSync(join(host.run, "ostree/staged-deployment"));
    const { status, stderr } = set("--source tuned --options late=1");
    expect(status).toBe(3);
    expect(stderr).toContain(
      "error: what is staged for the new stateroot `anew` cannot be staged again\nhint: ",
    );
    expect(readFileSync(join(host.run, "ostree/staged-deployment"))).toEqual(before);
  });
});

describe.skipIf(missing)("arguments that are staged, and then another image", () => {
  let registry: Registry;
  let host: SimulatedHost;
  let name: string;
  const push = (tag: string, version: string, kargs: string) =>
    pushImage(`${name}:${tag}`, {
      version,
      kargs: { "10-a.toml": `kargs = ${kargs}\n` },
      files: {
        "etc/containers/registries.conf": `[[registry]]\nlocation = "${registry.address}"\ninsecure = true\n`,
      },
    });
  beforeAll(async () => {
    registry = await startRegistry();
    name = `${registry.address}/loader-entries`;
    await push("latest", "1", '["image=1", "quiet"]');
    host = makeHost(sidOstree());
    installFromRegistry(host, name, ["image=1", "quiet"]);
  });
  afterAll(async () => {
    host?.remove();
    await registry?.stop();
  });

  const run = (words: string) => {
    const outcome = host.bootc(words);
    expect(outcome.status, `${words}: ${outcome.stderr}`).toBe(0);
  };
  const set = (words: string) => run(`loader-entries set-options-for-source ${words}`);

  test("an upgrade keeps what two sources asked for, and brings the image's own", async () => {
    set("--source tuned --options 'nohz=on quiet'");
    set("--source admin --options debug");
    await push("latest", "2", '["image=2"]');
    run("upgrade");
    host.reboot();
    expect(entryOf(host)).toMatchObject({
      options: "root=UUID=x nohz=on debug image=2 quiet",
      [TUNED]: "nohz=on quiet",
      [ADMIN]: "debug",
    });
  });

  test("a source that gave up stays without arguments after a switch and an upgrade over it", async () => {
    set("--source tuned");
    await push("other", "3", '["image=2"]');
    run(`switch ${name}:other`);
    await push("other", "4", '["image=2"]');
    run("upgrade");
    host.reboot();
    expect(entryOf(host)).toMatchObject({
      options: "root=UUID=x debug image=2",
      [TUNED]: "",
      [ADMIN]: "debug",
    });
  });
});

describe.skipIf(missing)("what the page shows is what the program prints", () => {
  test("with the newest ostree", () => {
    const host = makeHost(sidOstree());
    try {
      deploy(host, storeImage(host, "os", { version: "1" }), ["root=UUID=x", "rw"]);
      for (const { command, output } of readSamples("loader-entries.md").slice(0, -1)) {
        const { stdout } = host.shell(`{ ${command}; } 2>&1`);
        expect(stdout).toBe(output);
      }
    } finally {
      host.remove();
    }
  });

  test("with one that is too old", () => {
    const host = makeHost(trixieOstree());
    try {
      deploy(host, storeImage(host, "os", { version: "1" }), []);
      const sample = readSamples("loader-entries.md").at(-1);
      expect(host.bootc("loader-entries set-options-for-source --source tuned")).toEqual({
        status: 3,
        stdout: "",
        stderr: sample?.output,
      });
    } finally {
      host.remove();
    }
  });
});
