// Runs of automatic updates that are cut off: killed between any two steps, and on a full disk.
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { chosenSeed, createRandom } from "./images/random.ts";
import { pushImage } from "./pushed-images.ts";
import { type Registry, startRegistry } from "./registry.ts";
import {
  installFromRegistry,
  makeHost,
  missing,
  type SimulatedHost,
  simulatedOstrees,
} from "./simulated-boot.ts";

/** How many kills; `BOOTC_TEST_KILLS=1000` is before and after each step, and takes some minutes. */
const KILLS = Number(process.env.BOOTC_TEST_KILLS ?? 4);
const SEED = chosenSeed();
const newest = simulatedOstrees.slice(-1);

let registry: Registry;
beforeAll(async () => {
  if (!missing) registry = await startRegistry();
});
afterAll(() => registry?.stop());

describe.skipIf(missing).each(newest)("a run that is cut off, with ostree $version", (version) => {
  let host: SimulatedHost;
  let name: string;
  let count = 0;
  const push = (mark: string) =>
    pushImage(`${name}:latest`, {
      version: mark,
      files: {
        "etc/containers/registries.conf": `[[registry]]\nlocation = "${registry.address}"\ninsecure = true\n`,
        "etc/bootc/updates.d/50-image.toml":
          "[gates]\nsessions = false\ninhibitors = false\nfree_space = false\nmetered = false\nbattery = false\n",
      },
    });

  beforeEach(async () => {
    name = `${registry.address}/killed-${count++}`;
    await push("0");
    host = makeHost(version);
    installFromRegistry(host, name);
  });
  afterEach(() => host.remove());

  const updates = () => {
    const { status, stdout, stderr } = host.bootc("updates status --json");
    expect(status, stderr).toBe(0);
    return JSON.parse(stdout);
  };
  /** Programs that count their starts, and at one of them kill the run before or after their work. */
  const watch = (step: number, when: "before" | "after") => {
    for (const it of ["ostree", "skopeo", "flock"]) {
      const lines = [
        "#!/bin/sh",
        "echo >> /run/steps",
        "step=$(wc -l < /run/steps)",
        // Whatever they start finds the other stand-ins.
        `real=$(PATH=\${PATH#*:}; command -v ${it})`,
        `[ "$step ${when}" != "${step} before" ] || kill -KILL $PPID`,
        `"$real" "$@"; status=$?`,
        `[ "$step ${when}" != "${step} after" ] || kill -KILL $PPID`,
        "exit $status",
      ];
      writeFileSync(join(host.run, "bin", it), `${lines.join("\n")}\n`, { mode: 0o755 });
    }
    rmSync(join(host.run, "steps"), { force: true });
  };
  const steps = () => readFileSync(join(host.run, "steps"), "utf8").length;
  const unwatch = () => {
    for (const it of ["ostree", "skopeo", "flock"]) rmSync(join(host.run, "bin", it));
  };
  /** Ends when the run asks for a reboot, or when it was killed. */
  const run = () =>
    host.shell(
      "bootc updates run & while kill -0 $! 2>/dev/null; do " +
        "! grep -qs systemd-run /run/calls || kill $! 2>/dev/null; sleep 0.1; done; wait $!",
    );

  test(`killed ${KILLS} times by BOOTC_TEST_SEED=${SEED}, the next run gets there`, async () => {
    host.shell("true");
    let digest = await push("1");
    watch(0, "before");
    const whole = run();
    const all = Array.from({ length: steps() }, (_, i) => i + 1).flatMap((step) =>
      (["before", "after"] as const).map((when) => ({ step, when })),
    );
    expect(all.length).toBeGreaterThan(20);
    expect(host.calls().join(), `${whole.stdout}${whole.stderr}`).toContain("systemctl reboot");
    const random = createRandom(SEED);
    const left = [...all];
    const draw = () => left.splice(random(left.length), 1);
    const chosen = KILLS >= all.length ? all : Array.from({ length: KILLS }, draw).flat();
    process.stderr.write(`${chosen.length} of ${all.length} kills\n`);
    for (const [i, { step, when }] of chosen.entries()) {
      host.reboot();
      expect(updates().booted).toBe(digest);
      digest = await push(`${i + 2}`);
      watch(step, when);
      const { status } = run();
      unwatch();
      const { lastFailure, paused } = updates();
      expect([lastFailure, paused], `killed ${when} step ${step}`).toEqual([null, null]);
      if (status === 137 || !host.calls().join().includes("systemctl reboot")) run();
      expect(host.calls().join(), `killed ${when} step ${step}`).toContain("systemctl reboot");
      expect(updates().staged, `killed ${when} step ${step}`).toEqual({ digest, applied: true });
    }
  }, 1_800_000);

  test("on a full disk, the run fails, status works, and the next run gets there", async () => {
    host.shell("bootc updates run");
    const digest = await push("1");
    const state = "/var/lib/bootc/updates/state.json";
    const { stdout, stderr } = host.shell(`
      cp ${state} /run/state.json
      mount -t tmpfs -o size=16k tmpfs /var/lib/bootc && mkdir /var/lib/bootc/updates
      cp /run/state.json ${state}
      cat /dev/zero >/var/lib/bootc/full 2>/dev/null
      bootc updates run; echo "run: $?"
      bootc updates status --json >/run/status.json; echo "status: $?"
      cmp ${state} /run/state.json; ls -A /var/lib/bootc/updates
      rm /var/lib/bootc/full
      bootc updates check >/dev/null; echo "check: $?"
      bootc updates status --json >/run/later.json`);
    expect(stdout, stderr).toMatch(/^run: [1-9]\d*\nstatus: 0\nstate\.json\ncheck: 0\n$/m);
    expect(stderr).toContain("ENOSPC");
    const read = (file: string) => JSON.parse(readFileSync(join(host.run, file), "utf8"));
    expect(read("status.json")).toMatchObject({ paused: null, found: null });
    expect(read("later.json")).toMatchObject({ found: { digest } });
    expect(existsSync(join(host.run, "reboot-required"))).toBe(false);
  }, 240_000);
});
