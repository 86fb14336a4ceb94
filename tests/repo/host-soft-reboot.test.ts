import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { deploy, type StoredImage, storeImage, type TreeOptions } from "./deployed-images.ts";
import { machineOstree, type OstreeVersion, sidOstree, trixieOstree } from "./ostree-versions.ts";
import { makeHost, missing, type SimulatedHost } from "./simulated-boot.ts";

const COMPOSEFS = { "usr/lib/ostree/prepare-root.conf": "[composefs]\nenabled=yes\n" };
const KERNEL = "usr/lib/modules/6.1.0/vmlinuz";
const UNITS = { units: ["soft-reboot.target"] };
const PREPARED = "ostree/nextroot-booted";

let host: SimulatedHost;
afterEach(() => host.remove());

interface Next extends Partial<TreeOptions> {
  /** Files of both versions. Debian's older ostree does not know composefs, and refuses a tree that asks for it. */
  readonly composefs?: Readonly<Record<string, string>>;
}

/** A host that runs version 1, and a version 2 of its image to come. */
function start(version: OstreeVersion, { composefs = COMPOSEFS, ...next }: Next = {}): StoredImage {
  host = makeHost(version, UNITS);
  const files = { ...composefs, ...next.files };
  deploy(host, storeImage(host, "os", { version: "1", files: composefs }), ["root=UUID=x"]);
  return storeImage(host, "os", { version: "2", ...next, files });
}

/** Stages as a pull does, in the host that is booted. */
function stage(image: StoredImage, words = ""): void {
  const origin = `printf '[origin]\\ncontainer-image-reference=${image.origin}\\n' > /run/origin`;
  const command = `ostree admin deploy --stage --os=default --origin-file=/run/origin ${words}`;
  const { status, stderr } = host.shell(`${origin}; ${command} ${image.commit}`);
  expect(status, stderr).toBe(0);
}

const hostStatus = () => JSON.parse(host.bootc("status --json").stdout).status;

const refusal = (slot: "staged" | "rollback", why: string) =>
  `error: Soft reboot was required but ${slot} deployment is not soft-reboot capable: ${why}\n` +
  "hint: `--soft-reboot auto` falls back to a normal reboot\n";

/** Whether the command offers it, from what its help says. */
const offers = () => host.shell("ostree admin --help").stdout.includes("prepare-soft-reboot");

describe.skipIf(missing)("a soft reboot on Debian's newest ostree", () => {
  let image: StoredImage;
  beforeEach(() => {
    image = start(sidOstree());
  });

  test("is offered and shown as possible", () => {
    stage(image);
    expect(offers()).toBe(true);
    const { staged, booted } = hostStatus();
    expect([staged.softRebootCapable, booted.softRebootCapable]).toEqual([true, false]);
    // status asks ostree for its version, and --verbose must not show that command.
    const { stdout, stderr } = host.bootc("status --verbose --format humanreadable");
    expect([stdout, stderr]).toEqual([expect.stringMatching(/ Soft-reboot: yes\n/), ""]);
  });

  test("is prepared into the staged deployment, visibly and repeatably", () => {
    stage(image);
    // In one shell, because the mounts end with the namespace.
    const { status, stdout, stderr } = host.shell(
      `bootc upgrade --from-downloaded --soft-reboot=required && cat /run/nextroot/usr/share/version &&
      echo && ostree admin status | head -n 1 && bootc upgrade --from-downloaded --soft-reboot=auto`,
    );
    expect(status, stderr).toBe(0);
    expect(stdout.split("\n")).toEqual([
      "Staged deployment is already set to apply on reboot",
      "Staged deployment is soft-reboot capable, preparing for soft-reboot...",
      "2",
      `  default ${image.commit}.0 (staged) (soft-reboot)`,
      "Staged deployment is already set to apply on reboot",
      "Staged deployment is soft-reboot capable, preparing for soft-reboot...",
      "",
    ]);
  });

  test("is also prepared by a switch to the image that is already followed", () => {
    stage(image);
    const { image: name, transport } = JSON.parse(host.bootc("status --json").stdout).spec.image;
    const { status, stdout, stderr } = host.shell(
      `bootc switch --transport ${transport} ${name} --soft-reboot=required && ostree admin status | head -n 1`,
    );
    expect([status, stdout.split("\n")], stderr).toEqual([
      0,
      [
        "Image specification is unchanged.",
        "Staged deployment is soft-reboot capable, preparing for soft-reboot...",
        `  default ${image.commit}.0 (staged) (soft-reboot)`,
        "",
      ],
    ]);
  });

  test("is prepared into the rollback, and canceled with it", () => {
    stage(image);
    host.reboot();
    const { status, stdout, stderr } = host.shell(
      `bootc rollback --soft-reboot=required && cat /run/nextroot/usr/share/version && echo &&
      bootc rollback --soft-reboot=required && ls /run/nextroot && ostree admin status | grep -c soft-reboot`,
    );
    expect([status, stdout.split("\n")], stderr).toEqual([
      1, // of grep, that finds none
      [
        "Next boot: rollback deployment",
        "Rollback deployment is soft-reboot capable, preparing for soft-reboot...",
        "1",
        "notice: Reverting queued rollback state",
        "Next boot: current deployment",
        "0",
        "",
      ],
    ]);
    expect(existsSync(join(host.run, PREPARED))).toBe(false);
  });

  test("is canceled when another deployment is staged later", () => {
    stage(image);
    const newer = storeImage(host, "os", { version: "3", files: COMPOSEFS });
    const { status, stdout, stderr } = host.shell(
      `bootc upgrade --from-downloaded --soft-reboot=required >/dev/null &&
      ostree admin deploy --stage --os=default --origin-file=/run/origin ${newer.commit} &&
      ostree admin status | grep -e staged -e soft-reboot; ls /run/nextroot`,
    );
    expect([status, stdout], stderr).toEqual([0, `  default ${newer.commit}.0 (staged)\n`]);
  });
});

describe.skipIf(missing)("when the next deployment needs a real boot", () => {
  test.each([
    {
      what: "another kernel",
      next: { files: { [KERNEL]: "another kernel" } },
      words: "",
      why: "its kernel or initramfs is different",
    },
    {
      what: "other kernel arguments",
      next: {},
      words: "--karg-none --karg-append=root=UUID=x --karg-append=debug",
      why: "its kernel arguments are different",
    },
    {
      what: "no composefs",
      next: { files: { "usr/lib/ostree/prepare-root.conf": "[sysroot]\nreadonly=true\n" } },
      words: "",
      why: "it does not run from composefs",
    },
  ])("$what: `required` is an error, `auto` accepts it", ({ next, words, why }) => {
    stage(start(sidOstree(), next), words);
    expect(hostStatus().staged.softRebootCapable).toBe(false);
    // ostree agrees.
    expect(host.shell("ostree admin prepare-soft-reboot 0").status).not.toBe(0);
    expect(host.bootc("upgrade --from-downloaded --soft-reboot=required")).toEqual({
      status: 3,
      stdout: "",
      stderr: refusal("staged", why),
    });
    expect(host.bootc("upgrade --from-downloaded --soft-reboot=auto")).toEqual({
      status: 0,
      stdout: "Staged deployment is already set to apply on reboot\n",
      stderr: "",
    });
    expect(existsSync(join(host.run, PREPARED))).toBe(false);
  });
});

describe.skipIf(missing)("when the rollback needs a real boot", () => {
  test("`required` queues no rollback, `auto` does", () => {
    stage(start(sidOstree(), { files: { [KERNEL]: "another kernel" } }));
    host.reboot();
    expect(host.bootc("rollback --soft-reboot=required")).toEqual({
      status: 3,
      stdout: "",
      stderr: refusal("rollback", "its kernel or initramfs is different"),
    });
    expect(hostStatus().rollbackQueued).toBe(false);
    expect(host.bootc("rollback --soft-reboot=auto").stdout).toBe(
      "Next boot: rollback deployment\n",
    );
    // Canceling the rollback requests no reboot of any kind.
    expect(host.bootc("rollback --soft-reboot=required").status).toBe(0);
    expect(hostStatus().rollbackQueued).toBe(false);
  });
});

describe.skipIf(missing)("when soft reboots are not available", () => {
  test.each([
    { ostree: "2022.7", versionOf: machineOstree },
    { ostree: "2025.2", versionOf: trixieOstree },
  ])("ostree $ostree: `required` is refused before anything is done", ({ ostree, versionOf }) => {
    stage(start(versionOf(), { composefs: {} }));
    expect(offers()).toBe(false);
    expect(hostStatus().staged.softRebootCapable).toBe(false);
    const before = host.shell("ostree admin status").stdout;
    for (const verb of ["upgrade", "switch quay.io/example/os", "rollback"]) {
      const slot = verb === "rollback" ? "rollback" : "staged";
      expect(host.bootc(`${verb} --soft-reboot=required`)).toEqual({
        status: 3,
        stdout: "",
        stderr: refusal(slot, `ostree ${ostree} is older than 2025.3`),
      });
    }
    expect(host.shell("ostree admin status").stdout).toBe(before);
    expect(host.bootc("upgrade --from-downloaded --soft-reboot=auto")).toMatchObject({
      status: 0,
      stderr: "",
    });
  });

  test("an older systemd: `required` is refused as well", () => {
    host = makeHost(sidOstree(), { units: [] });
    deploy(host, storeImage(host, "os", { version: "1", files: COMPOSEFS }), []);
    expect(host.bootc("upgrade --soft-reboot=required")).toEqual({
      status: 3,
      stdout: "",
      stderr: refusal("staged", "systemd is older than 254"),
    });
  });
});
