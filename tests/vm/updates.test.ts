// A machine that updates itself: a window opens, a person is logged in, logs out, and the machine reboots.
import { spawn } from "node:child_process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { EVENTS } from "../../src/updates/events.ts";
import { boot, installDisk, type Lab, missingForLab, openLab, release, statusOf } from "./lab.ts";
import type { Disk, Machine } from "./machine.ts";
import { waitFor } from "./shell.ts";

const missing = await missingForLab();
const RUN = "systemctl start bootc-updates.service";
const STEP_LIMIT_MS = 600_000;

describe.skipIf(missing !== undefined)(`automatic updates${missing ? ` (${missing})` : ""}`, () => {
  let lab: Lab;
  let disk: Disk;
  let machine: Machine;

  beforeAll(async () => {
    // Without it, logind has no sessions.
    lab = await openLab("updates", { slot: 3, packages: ["libpam-systemd"] });
    await release(lab, "u1");
    disk = await installDisk(lab, { name: "updates", tag: "latest" });
    machine = await boot(lab, disk, "install");
  });
  afterAll(async () => {
    await machine?.cut();
    await lab?.close();
  });

  const updates = async () => JSON.parse(await machine.must("bootc updates status --json"));
  const until = async (what: string, isTrue: () => Promise<boolean>) =>
    await waitFor(what, STEP_LIMIT_MS, async () => ((await isTrue()) ? true : undefined));
  const events = async () => {
    const ids = Object.entries(EVENTS).map(([name, it]) => [it.messageId, name] as const);
    const names = new Map(ids);
    const said = await machine.must("journalctl --output=cat --output-fields=MESSAGE_ID -t bootc");
    return said.split("\n").flatMap((it) => names.get(it) ?? []);
  };

  test("before the window, an update is downloaded, and waits", async () => {
    await release(lab, "u2");
    const opens = await machine.must("date --utc --date '+4 min' '+%a %H:%M'");
    const [day, time] = opens.trim().split(" ");
    const settings =
      `[updates]\nstrategy = "periodic"\nperiodic.jitter_minutes = 0\n` +
      `[[updates.periodic.window]]\ndays = ["${day}"]\nstart_time = "${time}"\nlength_minutes = 240\n` +
      "[gates]\nsessions_grace_minutes = 1440\n";
    await machine.must(
      `mkdir -p /etc/bootc/updates.d && printf '${settings.replaceAll("\n", "\\n")}' >/etc/bootc/updates.d/50.toml`,
    );
    await machine.must(RUN);
    const { step, blocked, staged } = await updates();
    expect([step, blocked.rule, staged.applied]).toEqual(["finalize", "window", false]);
    expect((await statusOf(machine)).status.staged?.image?.version).toBe("u2");
  });

  test("in the window, a person who is logged in holds off the reboot", async () => {
    const [program, args] = machine.sshCommand("sleep 3600");
    const session = spawn(program, ["-tt", "-o", "ControlPath=none", ...args], { stdio: "ignore" });
    const hasTerminal = async () =>
      (await machine.run("ps -e -o tty= | grep --quiet pts/")).status === 0;
    try {
      await until("the session", hasTerminal);
      await until("the window", async () => (await updates()).window.open === true);
      await machine.must(RUN);
      const { step, blocked, staged } = await updates();
      expect([step, blocked.rule, staged.applied]).toEqual(["reboot", "sessions", true]);
      expect(await machine.must("cat /run/motd.d/60-bootc-updates")).toContain("logged in: root");
      expect(await machine.must("cat /run/reboot-required")).toContain(staged.digest);
      expect(await events()).toEqual(["found", "download", "finalize"]);
    } finally {
      session.kill("SIGKILL");
    }
    await until("the end of the session", async () => !(await hasTerminal()));
  });

  test("without that person, the machine reboots into the update, and says so", async () => {
    // The answer may be lost with the connection.
    await machine.run(RUN).catch(() => undefined);
    await machine.waitForEnd();
    machine = await boot(lab, disk, "updated");
    expect((await statusOf(machine)).status.booted?.image?.version).toBe("u2");
    await machine.must(RUN);
    const history = JSON.parse(await machine.must("bootc updates history --json"));
    const happened = history.map((it: { readonly event: string }) => it.event);
    expect(happened).toEqual(["found", "download", "finalize", "reboot", "booted"]);
    expect(await events()).toContain("booted");
    expect(await machine.must("ls -A /run/motd.d 2>/dev/null || true")).not.toContain("bootc");
  });
});
