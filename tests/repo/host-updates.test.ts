import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { askDashboard, missingPrometheus } from "./prometheus.ts";
import { pushImage } from "./pushed-images.ts";
import { type Registry, startRegistry } from "./registry.ts";
import {
  installFromRegistry,
  makeHost,
  missing,
  type SimulatedHost,
  simulatedOstrees,
} from "./simulated-boot.ts";

const newest = simulatedOstrees.slice(-1);
const ROLLOUT = "org.containers.bootc.rollout";

let registry: Registry;
beforeAll(async () => {
  if (!missing) registry = await startRegistry();
});
afterAll(() => registry?.stop());

describe.skipIf(missing).each(newest)("automatic updates on ostree $version", (version) => {
  let host: SimulatedHost;
  let name: string;
  let count = 0;
  const push = (options: Partial<Parameters<typeof pushImage>[1]>) =>
    pushImage(`${name}:latest`, {
      version: "1",
      ...options,
      files: {
        "etc/containers/registries.conf": `[[registry]]\nlocation = "${registry.address}"\ninsecure = true\n`,
        "usr/lib/systemd/system/bootc-updates.service": "[Service]\n",
        "etc/bootc/updates.d/50-image.toml":
          "[gates]\nsessions = false\ninhibitors = false\nfree_space_min_mib = 1\nmetered = false\nbattery = false\n",
      },
    });

  beforeEach(async () => {
    name = `${registry.address}/updates-${count++}`;
    await push({});
    host = makeHost(version);
    installFromRegistry(host, name);
  });
  afterEach(() => host.remove());

  const run = (words: string) => {
    const outcome = host.bootc(words);
    expect(outcome.status, `${words}: ${outcome.stderr}`).toBe(0);
    return outcome.stdout;
  };
  /** The run waits for the reboot, which ends it. */
  const rebootByRun = () =>
    host.shell(
      "bootc updates run & while ! grep -q systemd-run /run/calls; do sleep 0.1; done; kill $!; wait $!",
    );
  const runWithoutRegistry = () => {
    host.shell("sed -i s/127.0.0.1/127.0.0.2/ /etc/containers/registries.conf");
    return host.bootc("updates run").status;
  };
  const updates = () => JSON.parse(run("updates status --json"));
  const gate = (reason: string) =>
    host.shell(
      "mkdir -p /etc/bootc/gates.d && cd /etc/bootc/gates.d && " +
        `printf '#!/bin/sh\necho "${reason}"; exit 75' >10-file && chmod 755 10-file`,
    );

  test("an update is found, waits for its rollout and a gate, and is rebooted into", async () => {
    expect(run("updates run")).toBe("Nothing to do.\n");
    expect(updates()).toMatchObject({ step: null, blocked: null, found: null });

    const start = new Date(Date.now() + 3_600_000).toISOString();
    const later = await push({ version: "2", annotations: { [`${ROLLOUT}.start`]: start } });
    expect(run("updates run")).toContain("Not now: download: rollout: ");
    expect(updates()).toMatchObject({ step: "download", found: { digest: later, version: "2" } });
    expect(updates().blocked.until).toBe(start.replace(/\.\d+Z$/, "Z"));
    expect(JSON.parse(run("status --json")).status.staged).toBeNull();

    const second = await push({
      version: "3",
      annotations: { [`${ROLLOUT}.minimum-version`]: "1" },
    });
    run(`updates hold ${second}`);
    expect(run("updates run")).toContain(`Not now: download: held: \`${second}\` is held`);
    run("updates release");
    gate("the backup runs");
    expect(run("updates run")).toContain("Not now: download: programs: the backup runs\n");
    gate("");
    expect(run("updates run")).toContain("says not now\n");
    host.shell("rm /etc/bootc/gates.d/10-file");

    rebootByRun();
    expect(host.calls().join()).toContain("systemctl reboot");
    expect(readFileSync(join(host.run, "reboot-required"), "utf8")).toContain(second);
    host.reboot();
    expect(JSON.parse(run("status --json")).status.booted.image.imageDigest).toBe(second);
    expect(run("updates run")).toBe("Nothing to do.\n");
    expect(
      JSON.parse(run("updates history --json")).map((it: { event: string }) => it.event),
    ).toEqual(["found", "held", "found", "released", "download", "finalize", "reboot", "booted"]);

    const figures = run("updates metrics").split("\n");
    for (const name of [
      ...["downloaded_bytes_total", "checks_total", "image_since_time_seconds"],
      ...["last_run_time_seconds", "last_run_duration_seconds", "last_run_cpu_seconds"],
    ]) {
      const line = figures.find((it) => it.startsWith(`bootc_updates_${name} `));
      expect(Number(line?.split(" ")[1]), name).toBeGreaterThan(0);
    }

    // The next update supersedes what ran first. That is removed after the reboot, not by the shutdown.
    const third = await push({ version: "4" });
    const pinned = () =>
      JSON.parse(run("status --json")).status.otherDeployments?.map(
        (it: { pinned: boolean }) => it.pinned,
      );
    rebootByRun();
    expect(pinned()).toBeUndefined();
    expect(JSON.parse(run("status --json")).status.rollback.pinned).toBe(true);
    host.shell("echo late >/etc/late");
    host.reboot();
    expect(JSON.parse(run("status --json")).status.booted.image.imageDigest).toBe(third);
    expect(host.shell("cat /etc/late").stdout).toBe("late\n");
    expect(pinned()).toEqual([true]);
    expect(host.shell("bootc status").stdout).toContain("superseded: true\n");
    const { stdout, stderr } = host.bootc("updates run");
    expect(stderr).toMatch(/^Deleted deployment: [0-9a-f]{64}\.0 \(superseded\)$/m);
    expect(stdout).toBe("Nothing to do.\n");
    expect(pinned()).toBeUndefined();
    const { rollback } = JSON.parse(run("status --json")).status;
    expect(rollback).toMatchObject({ pinned: false, image: { imageDigest: second } });
  }, 300_000);

  test("a registry that is away is a failure that status shows", () => {
    expect([1, 4]).toContain(runWithoutRegistry());
    expect(updates().lastFailure).not.toBeNull();
  }, 120_000);

  test.skipIf(missingPrometheus)(
    `Prometheus scrapes the figures, and answers each panel of the dashboard${missingPrometheus ?? ""}`,
    async () => {
      // The kinds of failures have figures only once there was one.
      runWithoutRegistry();
      const answers = await askDashboard(run("updates metrics"));
      expect(answers.length).toBeGreaterThan(20);
      // A comparison has an answer where there is something for a person to see.
      const empty = answers.filter((it) => it.series === 0 && !/[<>]/.test(it.query));
      expect(empty).toEqual([]);
    },
  );
});
