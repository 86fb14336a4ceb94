import { existsSync } from "node:fs";
import { mkdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import type { RunOptions } from "../../system/context.ts";
import type { Machine } from "../../testing/machine-fixture.ts";
import { LOCK, machineOf, play } from "../../testing/play-verb.ts";
import { EVENTS } from "../../updates/events.ts";
import type { Surroundings } from "../../updates/machine/surroundings.ts";
import { EMPTY_STATE, formatState } from "../../updates/state.ts";
import { updatesPause } from "./pause.ts";
import { updatesResume } from "./resume.ts";
import { runUpdates } from "./run.ts";

const NOW = Date.parse("2026-06-07T12:00:00Z");
const world: Surroundings = { now: () => NOW, random: () => 0.5, pause: async () => undefined };
const BOOTED = "sha256:14a94e9818b2b53d6f5cf1a8e8c4e010c8a0c5a8c252ced10f711b2da9cb4367";

async function place({ root }: Machine, path: string, text = ""): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), text);
}

test("an event is a record in the journal, and starts the programs that want to know", async () => {
  const machine = await machineOf("2025.2");
  await place(machine, "run/systemd/journal/socket");
  for (const path of ["usr/lib/bootc/hooks.d/10-mail", "usr/lib/bootc/hooks.d/30-masked"]) {
    await place(machine, path);
  }
  await place(machine, "etc/bootc/hooks.d/20-desktop");
  await symlink("/dev/null", join(machine.root, "etc/bootc/hooks.d/30-masked"));
  const inputs: string[] = [];
  const keep = ({ input, timeoutMs }: RunOptions) => {
    inputs.push(String(input));
    expect(timeoutMs === undefined || timeoutMs === 30_000).toBe(true);
  };
  const transcript = await play(
    machine,
    [
      LOCK,
      ["+ logger --journald", keep],
      ["+ ROOT/usr/lib/bootc/hooks.d/10-mail paused", new Error("no mail server")],
      ["+ ROOT/etc/bootc/hooks.d/20-desktop paused", keep],
    ],
    (ctx) => updatesPause(ctx, { until: "2099-01-01" }),
  );
  expect(transcript).toContain("10-mail` failed: no mail server\n");
  expect(transcript).toContain("> Automatic updates are paused until 2099-01-01T00:00:00Z.");
  const [journal, document] = inputs;
  expect(journal?.split("\n")).toEqual(
    expect.arrayContaining([
      `MESSAGE_ID=${EVENTS.paused.messageId}`,
      "MESSAGE=Automatic updates: paused until 2099-01-01T00:00:00Z",
      "PRIORITY=5",
      "BOOTC_UPDATES_EVENT=paused",
    ]),
  );
  expect(JSON.parse(document ?? "")).toMatchObject({
    apiVersion: "bootc.updates/v1",
    event: "paused",
    text: "paused until 2099-01-01T00:00:00Z",
  });
});

test("no two events have the same message id", () => {
  const ids = Object.values(EVENTS).map((it) => it.messageId);
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids.filter((it) => !/^[0-9a-f]{32}$/.test(it))).toEqual([]);
});

test("people who log in learn what a run waits for, until there is nothing to say", async () => {
  const machine = await machineOf("2025.2");
  const motd = join(machine.root, "run/motd.d/60-bootc-updates");
  await place(
    machine,
    "etc/bootc/updates.d/50.toml",
    '[steps]\ncheck = "never"\nreboot = "never"\n',
  );
  const failure = { atMs: NOW, kind: "failed", message: "the server says: \u001b[2J" };
  const state = formatState({ ...EMPTY_STATE, running: BOOTED, failure });
  await place(machine, "var/lib/bootc/updates/state.json", state);
  await rm(join(machine.root, "run/ostree/staged-deployment-locked"), { force: true });
  await play(machine, [LOCK], (ctx) => updatesPause(ctx, {}));
  await play(machine, [LOCK, LOCK], (ctx) => runUpdates(ctx, world));
  expect(await readFile(motd, "utf8")).toMatch(
    /^Automatic updates are paused: paused by `bootc updates pause`\n/,
  );
  expect(await readFile(motd, "utf8")).not.toContain("\u001b");
  expect(await readFile(motd, "utf8")).toContain(
    "failed at 2026-06-07T12:00:00Z: the server says: ",
  );
  await play(machine, [LOCK], (ctx) => updatesResume(ctx));
  await rm(join(machine.root, "run/ostree/staged-deployment"));
  await place(machine, "var/lib/bootc/updates/state.json", formatState(EMPTY_STATE));
  await play(machine, [LOCK, LOCK], (ctx) => runUpdates(ctx, world));
  expect(existsSync(motd)).toBe(false);
});
