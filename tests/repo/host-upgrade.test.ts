import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { pushImage } from "./pushed-images.ts";
import { blobRequests, type Registry, startRegistry } from "./registry.ts";
import { makeHost, missing, type SimulatedHost, simulatedOstrees } from "./simulated-boot.ts";

let registry: Registry;
beforeAll(async () => {
  if (!missing) registry = await startRegistry();
});
afterAll(() => registry?.stop());

describe.skipIf(missing).each(simulatedOstrees)("upgrades on ostree $version", (version) => {
  let host: SimulatedHost;
  let name: string;
  let first: string;
  const kargs = { "10-a.toml": 'kargs = ["from-image=1", "kept"]' };
  const push = (tag: string, options: Partial<Parameters<typeof pushImage>[1]>) =>
    pushImage(`${name}:${tag}`, {
      version: "1",
      kargs,
      ...options,
      files: {
        "etc/containers/registries.conf": `[[registry]]\nlocation = "${registry.address}"\ninsecure = true\n`,
        ...options.files,
      },
    });

  let count = 0;
  beforeEach(async () => {
    name = `${registry.address}/os${version.version}-${count++}`;
    first = await push("latest", {});
    host = makeHost(version);
    const outcome = host.bootcOutside(
      "internals",
      "ostree-container",
      "image",
      "deploy",
      `--sysroot=${host.sysroot}`,
      "--stateroot=default",
      `--imgref=ostree-unverified-registry:${name}:latest`,
      "--insecure-skip-tls-verification",
      "--karg=root=UUID=x",
      "--karg=from-image=1",
      "--karg=kept",
      "--karg=from-user",
    );
    expect(outcome.status, outcome.stderr).toBe(0);
  });
  afterEach(() => host.remove());

  const run = (words: string) => {
    const outcome = host.bootc(words);
    expect(outcome.status, `${words}: ${outcome.stderr}`).toBe(0);
    return outcome;
  };
  const status = () => JSON.parse(run("status --json").stdout);
  const ostreeStatus = () => host.shell("ostree admin status").stdout;
  const cmdline = () => {
    const dir = join(host.sysroot, "boot/loader/entries");
    const entry = host.outside("sh", "-c", `grep -h ^options $(grep -l '^version 2' ${dir}/*)`);
    return entry.replace(/ ?ostree=\S+/, "").trim();
  };

  test("nothing new: nothing is staged, and nothing reboots", () => {
    const { stdout } = run("upgrade --apply");
    expect(stdout).toBe(
      `No changes in docker://${name}:latest => ${first}\nNo update available.\n`,
    );
    expect(status().status.staged).toBeNull();
    expect(run("upgrade --check").stdout).toBe(`No changes in: docker://${name}:latest\n`);
  });

  test("an update is found, staged, applied, and can be rolled back", async () => {
    const second = await push("latest", {
      version: "2",
      kargs: { "10-a.toml": 'kargs = ["kept", "new=2"]' },
    });
    await registry.requests();
    const check = run("upgrade --check").stdout;
    expect(check.split("\n").slice(0, 3)).toEqual([
      `Update available for: docker://${name}:latest`,
      "  Version: 2",
      `  Digest: ${second}`,
    ]);
    expect(check).toMatch(/^Total new layers: 2 {5}Size: .*\nRemoved layers: {3}\d {5}Size: /m);
    expect(blobRequests(await registry.requests()).length).toBeLessThanOrEqual(2);
    expect(status().status.booted.cachedUpdate.imageDigest).toBe(second);
    expect(status().status.staged).toBeNull();

    const { stdout, stderr } = run("upgrade --quiet");
    expect(stderr).toBe("");
    expect(stdout).toContain(`Queued for next boot: docker://${name}:latest\n  Version: 2\n`);
    expect(stdout).toContain("layers needed: ");
    const { staged } = status().status;
    expect([staged.image.imageDigest, staged.downloadOnly]).toEqual([second, false]);
    expect(ostreeStatus()).toContain(`${staged.ostree.checksum}.0 (staged)`);
    expect(readFileSync(join(host.run, "reboot-required"), "utf8")).toContain(second);
    expect(statSync(join(host.sysroot, "ostree/bootc")).isDirectory()).toBe(true);
    expect(run("upgrade").stdout).toContain("Staged update present, not changed\n");

    host.reboot();
    expect(status().status.booted.image.imageDigest).toBe(second);
    expect(status().status.rollback.image.imageDigest).toBe(first);
    expect(
      host.shell("cat /sysroot/ostree/deploy/default/deploy/*/usr/share/version").stdout,
    ).toMatch(/2/);
    expect(cmdline()).toBe("options root=UUID=x kept from-user new=2");
    host.outside("ostree", "fsck", `--repo=${host.repo}`, "--quiet"); // throws when it finds damage
  });

  test("a deployment that is only downloaded is dropped at shutdown, unless it is released", async () => {
    const second = await push("latest", { version: "2" });
    run("upgrade --download-only");
    expect(status().status.staged.downloadOnly).toBe(true);
    expect(existsSync(join(host.run, "reboot-required"))).toBe(false);
    host.reboot();
    expect(status().status.booted.image.imageDigest).toBe(first);

    run("upgrade --download-only");
    expect(run("upgrade --from-downloaded").stdout).toBe(
      "Staged deployment will now be applied on reboot\n",
    );
    expect(run("upgrade --from-downloaded").stdout).toBe(
      "Staged deployment is already set to apply on reboot\n",
    );
    expect(run("upgrade --download-only").stdout).toContain(
      "Image downloaded, but will not be applied on reboot\n",
    );
    expect(run("upgrade").stdout).toContain("Staged deployment will now be applied on reboot\n");
    host.reboot();
    expect(status().status.booted.image.imageDigest).toBe(second);
    expect(host.bootc("upgrade --from-downloaded")).toMatchObject({
      status: 1,
      stderr: "error: No staged deployment found\n",
    });
  });

  test("switch and --tag follow another reference from then on", async () => {
    const other = await push("other", { version: "3" });
    const { stdout } = run(`switch ${name}:other`);
    expect(stdout).toContain(`Queued for next boot: docker://${name}:other\n`);
    expect(status().spec.image).toEqual({ image: `${name}:other`, transport: "registry" });
    expect(run(`switch ${name}:other`).stdout).toBe("Image specification is unchanged.\n");
    host.reboot();
    expect(status().status.booted.image.imageDigest).toBe(other);

    const tagged = await push("tagged", { version: "4" });
    run("upgrade --tag tagged");
    expect(status().status.staged.image).toMatchObject({
      imageDigest: tagged,
      image: { image: `${name}:tagged` },
    });
  });

  test("an edited document stages its image", async () => {
    const other = await push("other", { version: "3" });
    run("status"); // boots, which empties /run
    const editor = join(host.run, "editor");
    writeFileSync(editor, `#!/bin/sh\nsed -i '0,/:latest/s//:other/' "$1"\n`, { mode: 0o755 });
    const { stdout, status: code, stderr } = host.bootc("edit", { env: { EDITOR: "/run/editor" } });
    expect(code, stderr).toBe(0);
    expect(stdout).toContain(`Queued for next boot: docker://${name}:other\n`);
    expect(status().status.staged.image.imageDigest).toBe(other);
  });

  test("--apply reboots into a deployment that is staged now or was staged before", async () => {
    await push("latest", { version: "2" });
    const apply = (words: string) =>
      host.shell(
        `bootc ${words} & while ! grep -q systemd-run /run/calls; do sleep 0.1; done; kill $!; wait $!`,
      );
    expect(apply("upgrade --apply --quiet").status).toBe(0);
    expect(host.calls().filter((it) => it.startsWith("systemd-run"))).toHaveLength(1);
    writeFileSync(join(host.run, "calls"), "");
    expect(apply("upgrade --apply --quiet").stdout).toContain("Staged update present, not changed");
    expect(host.calls()).toContain(
      "systemd-run --quiet -- systemctl reboot --message=Initiated by bootc",
    );
  });

  test("progress goes to the descriptor that was named, as its schema says", async () => {
    await push("latest", { version: "2" });
    const {
      stdout,
      status: code,
      stderr,
    } = host.shell("bootc upgrade --quiet --progress-fd 3 3>&1 >&2 | cat");
    expect([code, stderr.includes("Queued")]).toEqual([0, true]);
    const events = stdout
      .trimEnd()
      .split("\n")
      .map((it) => JSON.parse(it));
    const schema = JSON.parse(run("internals print-json-schema --of progress").stdout);
    const validate = new Ajv2020({ strict: false, validateFormats: false }).compile(schema);
    for (const event of events) expect(validate(event), JSON.stringify(event)).toBe(true);
    expect(events[0]).toEqual({ type: "Start", version: "0.1.0" });
    expect(new Set(events.slice(1).map((it) => it.task))).toEqual(
      new Set(["pulling", "importing", "staging"]),
    );
    expect(events.at(-1)).toMatchObject({ task: "staging", steps: 3 });
    expect(host.bootc("upgrade --progress-fd 2")).toMatchObject({ status: 2 });
    expect(host.bootc("upgrade --progress-fd 7")).toMatchObject({
      status: 2,
      stderr: "error: Cannot use fd 7 for progress JSON: it is not an open pipe\n",
    });
  });

  test("images are pulled into the booted system, and deployed there to boot next", async () => {
    await push("other", { version: "3" });
    const image = `ostree-unverified-registry:${name}:other`;
    const pull = run(`internals ostree-container image pull --quiet /ostree/repo ${image}`);
    expect(pull.stdout).toMatch(/^Wrote: .* => [0-9a-f]{64}\n$/m);
    for (const sysroot of ["/", "/sysroot"]) {
      run(`internals ostree-container image deploy --quiet --sysroot ${sysroot} --imgref ${image}`);
      const { staged, booted, rollback } = status().status;
      expect([staged?.image?.version, booted.image.version]).toEqual(["3", "1"]);
      expect(rollback).toBeNull();
      expect(ostreeStatus()).toContain(
        `${staged.ostree.checksum}.${staged.ostree.deploySerial} (staged)`,
      );
    }
    expect(host.shell("touch /sysroot/x").status).not.toBe(0);
    host.reboot();
    expect(status().status.booted.image.version).toBe("3");
  });

  test("an update that the registry no longer has is forgotten", async () => {
    await push("latest", { version: "2" });
    run("upgrade --check");
    expect(status().status.booted.cachedUpdate.version).toBe("2");
    expect(await push("latest", {})).toBe(first);
    // The check waits for another writer, whose half-written files must stay.
    const held = host.shell(
      "flock /sysroot/ostree/repo/extensions/bootc/lock bootc upgrade --check --lock-timeout 0",
    );
    expect([held.status, held.stderr]).toEqual([9, expect.stringContaining("is still at work")]);
    expect(run("upgrade --check").stdout).toBe(`No changes in: docker://${name}:latest\n`);
    expect(status().status.booted.cachedUpdate).toBeNull();
  });

  test("a host from a plain ostree branch can switch, and gives the branch up", async () => {
    const refs = () => host.outside("ostree", "refs", `--repo=${host.repo}`, "--list", "plain");
    run("status"); // boots
    const commit = host.booted().slice(0, 64);
    host.outside("ostree", "refs", `--repo=${host.repo}`, "--create=plain/branch", commit);
    const origin = join(host.sysroot, `ostree/deploy/default/deploy/${host.booted()}.origin`);
    writeFileSync(origin, "[origin]\nrefspec=plain/branch\n");
    expect(run("status --format humanreadable").stdout).toMatch(/^● Booted ostree\n +Commit: /);
    expect(host.bootc("upgrade")).toMatchObject({
      status: 3,
      stderr: "error: No image source specified\nhint: choose one with `bootc switch IMAGE`\n",
    });
    run(`switch --retain ${name}:latest`);
    expect(refs()).toBe("plain/branch\n");
    await push("other", { version: "2" });
    run(`switch ${name}:other`);
    expect(refs()).toBe("");
    host.reboot();
    expect(status().status.booted.image.version).toBe("2");
  });

  test("an image that cannot boot is refused, and the host stays as it was", async () => {
    await push("data", { version: "2", isUnbootable: true });
    const before = ostreeStatus();
    const unbootable = {
      status: 3,
      stderr: expect.stringContaining("Target image does not have ostree.bootable label"),
    };
    expect(host.bootc(`switch ${name}:data`)).toMatchObject({ ...unbootable, stdout: "" });
    const stored = `ostree-unverified-registry:${name}:data`;
    run(`internals ostree-container image pull --quiet /ostree/repo ${stored}`);
    expect(host.bootc(`switch ${name}:data`)).toMatchObject(unbootable);
    expect(host.bootc(`switch ${name}:missing`)).toMatchObject({ status: 1, stdout: "" });
    expect(host.bootc("switch blah://")).toMatchObject({ status: 2, stdout: "" });
    expect(host.bootc("upgrade --check --apply")).toMatchObject({ status: 2, stdout: "" });
    const failure = host.bootc(`switch --json ${name}:missing`);
    expect([failure.status, failure.stdout]).toEqual([1, ""]);
    expect(JSON.parse(failure.stderr).error).toMatchObject({ kind: "failed" });
    expect(JSON.parse(run("upgrade --json").stdout)).toEqual(status());
    expect(ostreeStatus()).toBe(before);
  });
});
