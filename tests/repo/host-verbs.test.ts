import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { deploy, type StoredImage, storeImage } from "./deployed-images.ts";
import { machineOstree, trixieOstree } from "./ostree-versions.ts";
import { readSamples } from "./page-samples.ts";
import { makeHost, missing, type SimulatedHost, simulatedOstrees } from "./simulated-boot.ts";

const documentOf = (host: SimulatedHost) => JSON.parse(host.bootc("status --json").stdout);
const ostreeStatus = (host: SimulatedHost) => host.shell("ostree admin status").stdout;
/** Commits in the order of `ostree admin status`, with its remarks. */
const ostreeOrder = (host: SimulatedHost) =>
  [...ostreeStatus(host).matchAll(/^(\*| ) default ([0-9a-f]{64})\.\d+(.*)$/gm)].map(
    ([, mark, commit, note]) => `${mark}${commit}${note}`,
  );

describe.skipIf(missing)("rollback on ostree 2025.2", () => {
  let host: SimulatedHost;
  let older: StoredImage;
  let newer: StoredImage;
  beforeAll(() => {
    host = makeHost(trixieOstree());
    older = storeImage(host, "os", { version: "1" });
    deploy(host, older, ["root=UUID=x"]);
    newer = storeImage(host, "os", { version: "2" });
    deploy(host, newer, []);
    host.shell("mkdir -p /run/systemd/journal; touch /run/systemd/journal/socket");
  });
  afterAll(() => host.remove());

  test("it puts the previous deployment first, and notifies everybody", () => {
    const outcome = host.bootc("rollback");
    expect(outcome).toEqual({ status: 0, stdout: "Next boot: rollback deployment\n", stderr: "" });
    expect(ostreeOrder(host)[0]).toContain(older.commit);
    const { status, spec } = documentOf(host);
    expect([status.rollbackQueued, spec.bootOrder]).toEqual([true, "rollback"]);
    expect(readFileSync(join(host.run, "reboot-required"), "utf8")).toBe(
      `bootc: Reboot required for image: ${older.digest}\n`,
    );
    expect(host.calls()).toContain("logger --journald");
    expect(host.calls()).toContain("  MESSAGE_ID=26f3b1eb24464d12aa5e7b544a6b5468");
    expect(existsSync(join(host.sysroot, "ostree/bootc"))).toBe(true);
  });

  test("a second rollback cancels the first, and its request for a reboot", () => {
    const { stdout, status } = host.bootc("rollback");
    expect([stdout, status]).toEqual([
      "notice: Reverting queued rollback state\nNext boot: current deployment\n",
      0,
    ]);
    expect(ostreeOrder(host)[0]).toContain(newer.commit);
    expect(documentOf(host).status.rollbackQueued).toBe(false);
    expect(existsSync(join(host.run, "reboot-required"))).toBe(false);
  });

  test("after a reboot the previous deployment runs", () => {
    host.bootc("rollback");
    host.reboot();
    expect(host.booted()).toBe(`${older.commit}.0`);
    expect(documentOf(host).status.booted.image.version).toBe("1");
    expect(documentOf(host).status.rollback.image.version).toBe("2");
  });

  test("an edited boot order is a rollback", () => {
    const document = documentOf(host);
    document.spec.bootOrder = "rollback";
    writeFileSync(join(host.run, "host.json"), JSON.stringify(document));
    const { stdout, status } = host.bootc("edit --filename /run/host.json");
    expect([stdout, status]).toEqual(["Next boot: rollback deployment\n", 0]);
    expect(documentOf(host).status.rollbackQueued).toBe(true);
  });

  test("the host's own view of /sysroot stays read-only", () => {
    const { status, stdout } = host.shell(
      "bootc rollback >&2; touch /sysroot/x && echo written; grep -c ' /sysroot ro' /proc/self/mountinfo",
    );
    expect([status, stdout]).toEqual([0, "1\n"]);
  });

  test("--apply asks systemd for a reboot and ends with the machine", () => {
    const { stdout, status } = host.shell(
      "bootc rollback --apply & while ! grep -q systemd-run /run/calls; do sleep 0.1; done; kill $!; wait $!",
    );
    expect(status).toBe(0);
    expect(stdout).toContain("Next boot");
    expect(host.calls()).toContain(
      "systemd-run --quiet -- systemctl reboot --message=Initiated by bootc",
    );
  });
});

describe.skipIf(missing)("rollback when it is impossible", () => {
  test("ostree 2022.7 is too old", () => {
    const host = makeHost(machineOstree());
    try {
      deploy(host, storeImage(host, "os", { version: "1" }), []);
      const [, , tooOld, noneThere] = readSamples("rollback.md");
      expect(host.bootc("rollback")).toMatchObject({ status: 3, stderr: noneThere?.output });
      deploy(host, storeImage(host, "os", { version: "2" }), []);
      host.reboot();
      expect(host.bootc("rollback")).toEqual({
        status: 3,
        stdout: "",
        stderr: tooOld?.output,
      });
    } finally {
      host.remove();
    }
  });
});

describe.skipIf(missing).each(simulatedOstrees)(
  "verbs that change no deployment, on ostree $version",
  (version) => {
    let host: SimulatedHost;
    let image: StoredImage;
    beforeAll(() => {
      host = makeHost(version);
      image = storeImage(host, "os", { version: "1" });
      deploy(host, image, []);
    });
    afterAll(() => host.remove());

    test.each([
      { words: "usr-overlay", overlay: { accessMode: "readWrite", persistence: "transient" } },
    ])("$words mounts an overlay that status shows", ({ words, overlay }) => {
      expect(host.bootc(words).status).toBe(0);
      expect(documentOf(host).status.usrOverlay).toEqual(overlay);
      expect(ostreeStatus(host)).toContain("Unlocked: development");
      host.reboot();
      expect(documentOf(host).status.usrOverlay).toBeNull();
      host.bootc("usroverlay --read-only");
      expect(documentOf(host).status.usrOverlay).toEqual({
        accessMode: "readOnly",
        persistence: "transient",
      });
    });

    test("switch --mutate-in-place rewrites the origin alone", () => {
      // An installer's root is writable; a booted one is not.
      const { stdout, status } = host.shell(
        "mount -o remount,rw /sysroot; bootc switch --mutate-in-place --transport oci /srv/os",
      );
      expect([stdout, status]).toEqual([`Updated ${image.commit}.0 to pull from oci:/srv/os\n`, 0]);
      expect(documentOf(host).spec.image).toEqual({ image: "/srv/os", transport: "oci" });
      const json = host.shell(
        "mount -o remount,rw /sysroot; bootc switch --json --mutate-in-place quay.io/example/os",
      );
      expect([json.status, json.stderr]).toEqual([0, ""]);
      expect(json.stdout).toBe(host.bootc("status --json").stdout);
      expect(JSON.parse(json.stdout).spec.image.image).toBe("quay.io/example/os");
    });

    const deployHere = "internals ostree-container image deploy --sysroot / --imgref";

    test.each([
      "switch quay.io/x",
      "rollback",
      "internals cleanup",
      `${deployHere} ostree-unverified-image:oci:/srv/os`,
    ])("%s waits for another run, and gives up as busy", (verb) => {
      const { status, stderr } = host.shell(
        "mkdir -p /run/bootc; flock /run/bootc/lock sleep 100 & " +
          "while flock --nonblock /run/bootc/lock true; do :; done; " +
          `bootc ${verb} --lock-timeout 1; code=$?; kill $!; exit $code`,
      );
      expect([status, stderr]).toEqual([9, expect.stringContaining("is still at work after 1 s")]);
    });

    test("users other than root are told so", () => {
      const verbs = ["upgrade", "switch quay.io/x", "rollback", "edit", "usr-overlay"];
      for (const words of [...verbs, `${deployHere} ostree-unverified-registry:quay.io/x`]) {
        const { stderr, status } = host.bootc(words, { uid: 65534 });
        expect([words, status, stderr]).toEqual([
          words,
          3,
          "error: This command must be executed as the root user\nhint: run it with sudo\n",
        ]);
      }
    });
  },
);
