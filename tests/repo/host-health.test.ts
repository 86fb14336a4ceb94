// A new system on trial, on a host that looks booted: the script of the health gate, bootc's answers, ostree's order.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type HealthHost, makeHealthHost, REBOOT, SCRIPT } from "./health-host.ts";
import { type Registry, startRegistry } from "./registry.ts";
import { missing, type SimulatedHost, simulatedOstrees } from "./simulated-boot.ts";

const newest = simulatedOstrees.slice(-1);

let registry: Registry;
beforeAll(async () => {
  if (!missing) registry = await startRegistry();
});
afterAll(() => registry?.stop());

describe.skipIf(missing).each(newest)("the health gate on ostree $version", (version) => {
  let health: HealthHost;
  let host: SimulatedHost;
  beforeEach(async () => {
    health = await makeHealthHost(version, registry);
    host = health.host;
  });
  afterEach(() => host.remove());
  const push: HealthHost["push"] = (...words) => health.push(...words);
  const run = (command: string) => health.run(command);
  const start = (unit?: string) => health.start(unit);
  const applyUpdate = () => health.applyUpdate();
  const updates = () => health.updates();
  const runningVersion = () => health.runningVersion();
  const trial = () => health.trial();
  const grubSays = (text: string) => health.grubSays(text);
  const grubenv = () => health.grubenv();

  test("a bad update goes back with its reason, and is held until a newer one", async () => {
    const second = await push("2");
    run("bootc upgrade");
    applyUpdate();
    expect(trial()).toMatchObject({ state: "armed", starts: "0", tries: "2", limit: "60" });
    start("failed");
    expect(runningVersion()).toBe("2");
    run(`${SCRIPT} begin`);
    expect(trial()).toMatchObject({ state: "trying", starts: "1" });
    expect(host.shell(`${SCRIPT} check`)).toMatchObject({
      status: 1,
      stdout: expect.stringMatching(/^`ssh.service` has failed\n/),
    });
    expect(host.calls()).toContain(REBOOT);

    start();
    expect(runningVersion()).toBe("1");
    run(`${SCRIPT} begin`);
    expect(trial().state).toBe("returned");
    run(`${SCRIPT} check`);
    expect(trial().state).toBeUndefined();
    expect(updates()).toMatchObject({
      held: [second],
      health: {
        outcome: "went-back",
        digest: second,
        version: "2",
        reason: "`ssh.service` has failed",
      },
    });
    const kept = run("cat /var/lib/bootc/health/motd");
    expect(kept).toContain("`ssh.service` has failed");
    expect(run("cat /run/motd.d/60-bootc-health")).toBe(kept);
    expect(run("bootc status --format=humanreadable")).toContain("Health: the update to 2 sha256:");
    expect(run("bootc updates metrics")).toContain("\nbootc_updates_rollbacks_total 1\n");
    expect(run("bootc updates run")).toContain(`held: \`${second}\` is held because it went back`);
    const byHand = host.bootc("upgrade");
    expect([byHand.status, byHand.stderr]).toEqual([7, expect.stringContaining("--force-held")]);

    // A good boot of the old system does not explain the update away.
    start();
    run(`${SCRIPT} check`);
    expect(updates().health).toMatchObject({ outcome: "went-back" });

    await push("3");
    run("bootc upgrade");
    applyUpdate();
    start();
    run(`${SCRIPT} begin && ${SCRIPT} check`);
    expect([runningVersion(), trial().state]).toEqual(["3", undefined]);
    expect(host.calls()).not.toContain(REBOOT);
    expect(updates()).toMatchObject({ held: [second], health: null });
    expect(host.shell("cat /var/lib/bootc/health/motd").status).toBe(1);
    expect(host.shell("cat /run/motd.d/60-bootc-health").status).toBe(1);
  }, 300_000);

  test("whoever insists gets the bad image again, and it is released", async () => {
    const second = await push("2");
    run("bootc upgrade --download-only");
    run(`bootc updates hold ${second}`);
    expect(host.bootc("upgrade").status).toBe(7);
    const unlocked = host.bootc("upgrade --from-downloaded");
    expect([unlocked.status, unlocked.stderr]).toEqual([7, expect.stringContaining("is held")]);
    expect(host.bootc("upgrade --check").status).toBe(0);
    const forced = host.bootc("upgrade --force-held");
    expect([forced.status, forced.stderr]).toEqual([0, expect.stringContaining("is held")]);
    expect(updates().held).toEqual([]);
  }, 300_000);

  test("while nobody knows what is held, an upgrade has to be insisted on", async () => {
    await push("2");
    run("mkdir -p /var/lib/bootc/updates && echo '{' > /var/lib/bootc/updates/state.json");
    const outcome = host.bootc("upgrade");
    expect([outcome.status, outcome.stderr]).toEqual([7, expect.stringContaining("not known")]);
    expect(host.bootc("upgrade --force-held").status).toBe(0);
  }, 300_000);

  test("without a bootc that works, back all the same", async () => {
    await push("2");
    run("bootc upgrade");
    applyUpdate();
    start();
    run(`${SCRIPT} begin`);
    health.putProgram("bootc", "#!/bin/nowhere\n");
    const checked = host.shell(`${SCRIPT} check`);
    expect(checked.stdout).toContain("bootc does not work");
    start();
    expect(runningVersion()).toBe("1");
  }, 300_000);

  test("without an ostree that works, the boot entry is written by hand", async () => {
    await push("2");
    run("bootc upgrade");
    applyUpdate();
    start("failed");
    run(`${SCRIPT} begin`);
    health.putProgram("ostree", "#!/bin/false\n");
    expect(host.shell(`${SCRIPT} check`).status).toBe(1);
    start();
    expect(runningVersion()).toBe("1");
    // ostree understands what was written, and so does the next update.
    run(`${SCRIPT} begin && ${SCRIPT} check`);
    expect(run("ostree admin status").match(/^[ *] default /gm)).toHaveLength(2);
    await push("3");
    run("bootc upgrade");
    applyUpdate();
    start();
    expect(runningVersion()).toBe("3");
  }, 300_000);

  test("a system that crashes goes back after its tries, and one that comes back is left alone", async () => {
    await push("2");
    run("bootc upgrade");
    applyUpdate();
    for (const starts of ["1", "2"]) {
      start();
      run(`${SCRIPT} begin`);
      expect(trial()).toMatchObject({ state: "trying", starts });
    }
    start();
    run(`${SCRIPT} begin`);
    expect(host.calls()).toContain(REBOOT);
    // A boot loader that starts it nevertheless gets one more chance, and then the system stays.
    run("ostree admin set-default 1");
    start();
    run(`${SCRIPT} begin`);
    expect(trial().state).toBe("returning");
    run("ostree admin set-default 1");
    start("failed");
    run(`${SCRIPT} begin`);
    expect(trial().state).toBe("stuck");
    expect(host.calls()).not.toContain(REBOOT);
    expect(host.shell(`${SCRIPT} check`).status).toBe(1);
    expect(updates().health).toMatchObject({
      outcome: "stuck",
      reason: "it was started 2 times and not found healthy",
    });
  }, 300_000);

  test("if the old system is not healthy either, it runs on and says so", async () => {
    const second = await push("2");
    run("bootc upgrade");
    applyUpdate();
    // The boot loader did not get the new system up.
    run("ostree admin set-default 1");
    start("failed");
    run(`${SCRIPT} begin`);
    expect(host.shell(`${SCRIPT} check`).status).toBe(1);
    expect(host.calls()).not.toContain(REBOOT);
    expect(updates()).toMatchObject({ held: [second], health: { outcome: "both-bad" } });
    expect(updates().health.reason).toContain("did not get as far as its own start");
  }, 300_000);

  test("a time limit counts, and required checks do, and others do not", async () => {
    const check = (kind: string, text: string) =>
      run(
        `mkdir -p /etc/bootc/health.d/${kind}.d && cd /etc/bootc/health.d/${kind}.d && ` +
          `printf '#!/bin/sh\\n%s\\n' '${text}' > 10-it && chmod 755 10-it`,
      );
    check("wanted", "echo no; exit 1");
    expect(run("bootc internals health-check")).toContain(
      "ended with status 1, which does not count",
    );
    check("required", "echo no disk; exit 3");
    expect(host.bootc("internals health-check")).toMatchObject({
      status: 1,
      stdout: expect.stringMatching(/required.d\/10-it` ended with status 3\n {2}no disk\n/),
    });
    check("required", "sleep 100; exit 0");
    const startedAt = Date.now();
    expect(host.bootc("internals health-check --limit 2").stdout).toContain("did not end within");
    // What the check has started does not go on either.
    expect(Date.now() - startedAt).toBeLessThan(50_000);
    // A failure outside of a trial is remembered, and nothing else happens.
    check("required", "echo secret; exit 1");
    expect(host.shell(`${SCRIPT} check`).status).toBe(1);
    expect(updates().health).toMatchObject({ outcome: "unhealthy", version: "1" });
    // Only root learns what checks print.
    expect(updates().health.details.join()).toContain("secret");
    expect(run("cat /var/lib/bootc/updates/state.json /var/lib/bootc/health/motd")).not.toContain(
      "secret",
    );
    expect(run("stat -c %a /var/lib/bootc/updates/health-details /run/bootc/health-reason")).toBe(
      "600\n600\n",
    );
    run("rm -r /etc/bootc/health.d");
    run(`${SCRIPT} check`);
    expect(updates().health).toBeNull();
  }, 300_000);

  test("GRUB is told to try the new system once, and the old one when that failed", async () => {
    grubSays("save_env bootc_try");
    await push("2");
    run("bootc upgrade");
    applyUpdate();
    expect([trial().loader, grubenv()]).toEqual(["grub-once", "bootc_try=1\n"]);
    // What GRUB does when it starts the new system.
    run("grub2-editenv /boot/grub2/grubenv set bootc_try=0");
    start("failed");
    run(`${SCRIPT} begin`);
    // The script counts from here on: the second of two tries.
    expect(grubenv()).toBe("bootc_try=1\n");
    const before = run("ls /boot/loader/entries; cat /boot/loader/entries/*");
    expect(host.shell(`${SCRIPT} check`).status).toBe(1);
    expect(grubenv()).toBe("bootc_try=0\n");
    expect(run("ls /boot/loader/entries; cat /boot/loader/entries/*")).toBe(before);
    run("ostree admin set-default 1");
    start();
    run(`${SCRIPT} begin && ${SCRIPT} check`);
    expect([grubenv(), updates().health.outcome]).toEqual(["", "went-back"]);
  }, 300_000);

  test("GRUB that counts by itself is told of the success", async () => {
    grubSays("decrement boot_counter");
    await push("2");
    run("bootc upgrade");
    applyUpdate();
    expect([trial().loader, grubenv()]).toEqual([
      "grub-counter",
      "boot_counter=2\nboot_success=0\n",
    ]);
    start();
    run(`${SCRIPT} begin && ${SCRIPT} check`);
    expect(grubenv()).toBe("boot_success=1\n");
  }, 300_000);

  test("systemd-boot is left to count only where the firmware can rename its entries", async () => {
    const isOn = (filesystem: string) =>
      health.putProgram("findmnt", `#!/bin/sh\necho ${filesystem}\n`);
    health.putProgram("bootctl", `#!/bin/sh\necho "bootctl $*" >> /run/calls\n`);
    const vars = "/sys/firmware/efi/efivars";
    const firmware =
      `mount -t tmpfs none /sys && mkdir -p ${vars} && ` +
      `echo systemd-boot > ${vars}/LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f`;
    await push("2", { "usr/bin/bootctl": "its presence counts" });
    run("bootc upgrade");
    // As newer versions of ostree name it where `sysroot.boot-counting-tries` is set.
    const rename = "cd /boot/loader/entries && mv ostree-2.conf ostree-2+3.conf";
    run(`${SCRIPT} note && ostree admin finalize-staged && ${rename}`);
    isOn("ext4");
    run(`${firmware} && ${SCRIPT} arm`);
    expect(trial().loader).toBe("systemd-boot-once");
    expect(host.calls().filter((it) => it.startsWith("bootctl "))).toEqual([
      "bootctl set-oneshot ostree-2.conf",
      "bootctl set-default ostree-1.conf",
    ]);
    isOn("vfat");
    run(`${firmware} && ${SCRIPT} arm`);
    expect(trial().loader).toBe("counting");
  }, 300_000);

  test.each([
    ["no setting is about health", ""],
    ["health.enabled is not set", "[health]\nlimit_seconds = 60\n"],
    ["health.enabled is false", "[health]\nenabled = false\n"],
    ["the settings cannot be read", "[health\nenabled = true\n"],
    ["the settings have a mistake", "[health]\nenabled = true\ntries = 0\n"],
  ])(
    "nothing is armed or judged if %s",
    async (_, text) => {
      const file = "etc/bootc/updates.d/50-image.toml";
      grubSays("save_env bootc_try");
      await push("2", { [file]: text });
      run("bootc upgrade");
      applyUpdate();
      expect(grubenv()).toBe("");
      start("failed");
      expect(runningVersion()).toBe("2");
      expect(trial().state).toBeUndefined();
      run("mkdir -p /etc/bootc/health.d/required.d");
      run("printf '#!/bin/sh\\nexit 1\\n' > /etc/bootc/health.d/required.d/10-it");
      run("chmod 755 /etc/bootc/health.d/required.d/10-it");
      run(`${SCRIPT} check`);
      expect(updates().health).toBeNull();
    },
    300_000,
  );

  test("an update that is dropped, and a rollback by hand, are not put on trial", async () => {
    await push("2");
    run("bootc upgrade");
    applyUpdate();
    start();
    run(`${SCRIPT} begin && ${SCRIPT} check`);
    run(`${SCRIPT} note && bootc rollback && ${SCRIPT} arm`);
    expect(trial().state).toBeUndefined();
    expect(readFileSync(join(host.run, "bootc/health-known"), "utf8").split("\n")).toHaveLength(3);
  }, 300_000);
});
