import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import type { Machine } from "../../testing/machine-fixture.ts";
import { expectRefused, LOCK, machineOf, play } from "../../testing/play-verb.ts";
import { type ScriptLine, scriptedContext } from "../../testing/scripted-context.ts";
import type { Surroundings } from "../../updates/machine/surroundings.ts";
import {
  EMPTY_STATE,
  formatState,
  parseUpdatesState,
  type UpdatesState,
} from "../../updates/state.ts";
import { updatesHistory } from "./history.ts";
import { updatesHold } from "./hold.ts";
import { parseUntil, updatesPause } from "./pause.ts";
import { updatesRelease } from "./release.ts";
import { updatesResume } from "./resume.ts";
import { runUpdates } from "./run.ts";
import { showUpdatesStatus } from "./status.ts";

const NOW = Date.parse("2026-06-07T12:00:00Z");
const world: Surroundings = { now: () => NOW, random: () => 0.5, pause: async () => undefined };

const BOOTED = "sha256:14a94e9818b2b53d6f5cf1a8e8c4e010c8a0c5a8c252ced10f711b2da9cb4367";
const STAGED = "sha256:e7deb22fe81666de362c74c23217682d5335b1bb7c0037b8fb64cadf573f3121";
const RAN: UpdatesState = {
  ...EMPTY_STATE,
  running: BOOTED,
  found: { digest: STAGED, annotations: {} },
};

const STATE = "var/lib/bootc/updates/state.json";
const OFFLINE = '[steps]\ncheck = "never"\n';

async function configured(machine: Machine, text: string, state = RAN): Promise<void> {
  const { root } = machine;
  await mkdir(join(root, "etc/bootc/updates.d"), { recursive: true });
  await writeFile(join(root, "etc/bootc/updates.d/50.toml"), text);
  await mkdir(join(root, "var/lib/bootc/updates"), { recursive: true });
  await writeFile(join(root, STATE), formatState(state));
}

/** The update is downloaded, and the next reboot applies it. */
async function applied(text: string): Promise<Machine> {
  const machine = await machineOf("2022.7");
  await configured(machine, text);
  await rm(join(machine.root, "run/ostree/staged-deployment-locked"));
  return machine;
}

const readState = async ({ root }: Machine) =>
  parseUpdatesState(await readFile(join(root, STATE), "utf8"));

const REBOOT: ScriptLine = [
  "+ systemd-run --quiet -- systemctl reboot '--message=Initiated by bootc'",
  new Error("the machine goes down"),
];
/** After what the shutdown reads has been read. */
const SYNC: readonly ScriptLine[] = [
  ["+ sync --file-system ROOT/sysroot"],
  ["+ sync --file-system ROOT/boot"],
];
const SYSTEM = "? systemctl is-system-running";
const SESSIONS = "? loginctl list-sessions --output=json --no-legend --no-pager";
const INHIBITORS =
  "? busctl --json=short call org.freedesktop.login1 /org/freedesktop/login1 " +
  "org.freedesktop.login1.Manager ListInhibitors";

test("run applies what is downloaded and reboots, once nothing forbids it", async () => {
  const machine = await machineOf("2022.7");
  await configured(machine, OFFLINE);
  const transcript = await play(
    machine,
    [
      LOCK,
      LOCK,
      ["? ostree --version", " Version: '2022.7'\n"],
      LOCK,
      [INHIBITORS, '{"type":"a(ssssuu)","data":[[["sleep","UPower","x","block",0,1]]]}'],
      [SESSIONS, "[]"],
      ...SYNC,
      LOCK,
      REBOOT,
    ],
    (ctx) => runUpdates(ctx, world),
  );
  expect(transcript).toContain("error: the machine goes down");
  expect((await readState(machine)).history.map((it) => it.event)).toEqual(["finalize", "reboot"]);
});

test.each([
  [
    "a closed window",
    '[updates]\nstrategy="periodic"\n[[updates.periodic.window]]\ndays=["Mon"]\nstart_time="1:00"\nlength_minutes=60\n',
    [],
    "window: no window is open",
  ],
  [
    "an inhibitor",
    "",
    [[INHIBITORS, '{"type":"x","data":[[["shutdown:sleep","apt","busy","block",0,1]]]}']],
    "inhibitors: `apt` forbids a shutdown: busy",
  ],
  [
    "a broken bus",
    "",
    [[INHIBITORS, new Error("no bus")]],
    "inhibitors: it cannot be asked: no bus",
  ],
] as const)("run does not reboot during %s, and remembers why", async (_, text, script, want) => {
  const machine = await applied(`${text}${OFFLINE}`);
  const transcript = await play(machine, [LOCK, ...script, LOCK], (ctx) => runUpdates(ctx, world));
  expect(transcript).toContain(`> Not now: reboot: ${want}`);
  expect((await readState(machine)).block?.reason).toBe(want.slice(want.indexOf(": ") + 2));
});

test("people are warned once, and have a grace period", async () => {
  const machine = await applied(`${OFFLINE}[gates]\ninhibitors = false\n`);
  const sessions: ScriptLine = [
    SESSIONS,
    '[{"session":"1","uid":1000,"user":"eve","seat":"","tty":"pts/0"},{"user":"cron","tty":null}]',
  ];
  const at = (minutes: number) => ({ ...world, now: () => NOW + minutes * 60_000 });
  const wall: ScriptLine = [
    "+ wall 'This machine reboots into an update at 2026-06-07T12:10:00Z or later. Please save your work and log out.'",
  ];
  const first = await play(machine, [LOCK, sessions, wall, LOCK], (ctx) => runUpdates(ctx, at(0)));
  expect(first).toContain("sessions: logged in: eve (until 2026-06-07T12:10:00Z)");
  const second = await play(machine, [LOCK, sessions], (ctx) => runUpdates(ctx, at(5)));
  expect(second).toContain("sessions: logged in: eve (until 2026-06-07T12:10:00Z)");
  await play(machine, [LOCK, sessions, LOCK, ...SYNC, LOCK, REBOOT], (ctx) =>
    runUpdates(ctx, at(10)),
  );
});

test("how long a run took is remembered, even if it failed", async () => {
  const machine = await applied(`${OFFLINE}[gates]\ninhibitors = false\nsessions = false\n`);
  let nowMs = NOW;
  const slow = { ...world, now: () => nowMs };
  const later: ScriptLine = [
    REBOOT[0],
    () => {
      nowMs += 90_000;
      throw new Error("the machine goes down");
    },
  ];
  await play(machine, [LOCK, ...SYNC, LOCK, later], (ctx) => runUpdates(ctx, slow));
  const file = join(machine.root, "run/bootc/updates-last-run.json");
  expect(JSON.parse(await readFile(file, "utf8"))).toEqual({
    endedMs: NOW + 90_000,
    tookMs: 90_000,
    cpuMs: 0,
  });
});

test("a program of the administrator has its say", async () => {
  const machine = await applied(`${OFFLINE}[gates]\ninhibitors = false\nsessions = false\n`);
  await mkdir(join(machine.root, "usr/lib/bootc/gates.d"), { recursive: true });
  await writeFile(join(machine.root, "usr/lib/bootc/gates.d/10-backup"), "");
  const script: readonly ScriptLine[] = [
    LOCK,
    ["? ROOT/usr/lib/bootc/gates.d/10-backup reboot", new Error("status 3")],
    LOCK,
  ];
  expect(await play(machine, script, (ctx) => runUpdates(ctx, world))).toContain(
    "programs: it cannot be asked: asking `",
  );
});

async function fleetServer(status: number, body: string) {
  const paths: string[] = [];
  const server = createServer((request, response) => {
    paths.push(request.url ?? "");
    response.writeHead(status).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const settings =
    `[updates]\nstrategy = "fleet_lock"\nfleet_lock.base_url = "http://127.0.0.1:${port}"\n` +
    `${OFFLINE}[gates]\ninhibitors = false\nsessions = false\n`;
  return { paths, settings };
}

test("without a slot of the FleetLock server, nothing reboots", async () => {
  const { settings } = await fleetServer(409, '{"kind":"k","value":"all slots are taken"}');
  const machine = await applied(settings);
  const script = [LOCK, ...SYNC, LOCK, LOCK];
  const transcript = await play(machine, script, (ctx) => runUpdates(ctx, world));
  expect(transcript).toContain("reboot: fleet_lock: the server says: all slots are taken (k)");
  const { lockedMs, counts } = await readState(machine);
  expect(lockedMs).toBeUndefined();
  expect(counts).toEqual({ "fleet-pre-reboot": 1, "fleet-pre-reboot-refused": 1 });
});

test("a FleetLock server that refuses the credentials is a failure, counted by its kind", async () => {
  const { settings } = await fleetServer(401, "");
  const machine = await applied(settings);
  await play(machine, [LOCK, ...SYNC, LOCK], (ctx) => runUpdates(ctx, world));
  expect((await readState(machine)).counts).toEqual({
    "failed-authentication": 1,
    "fleet-pre-reboot": 1,
    "fleet-pre-reboot-authentication": 1,
  });
});

test("with a slot it reboots, and gives the slot back when the system has come up", async () => {
  const { settings, paths } = await fleetServer(200, "");
  const machine = await applied(settings);
  await play(machine, [LOCK, ...SYNC, LOCK, LOCK, REBOOT], (ctx) => runUpdates(ctx, world));
  expect((await readState(machine)).lockedMs).toBe(NOW);
  await rm(join(machine.root, "run/ostree/staged-deployment"));
  await writeFile(
    join(machine.root, STATE),
    formatState({ ...(await readState(machine)), found: undefined }),
  );
  const early = await play(machine, [LOCK, [SYSTEM, "starting\n"], LOCK], (ctx) =>
    runUpdates(ctx, world),
  );
  expect(early).toContain("is kept: the system is starting.");
  await play(machine, [LOCK, [SYSTEM, "running\n"], LOCK], (ctx) => runUpdates(ctx, world));
  const { lockedMs, counts } = await readState(machine);
  expect(lockedMs).toBeUndefined();
  expect(counts).toMatchObject({ "fleet-pre-reboot": 1, "fleet-steady-state": 1 });
  expect(paths).toEqual(["/v1/pre-reboot", "/v1/steady-state"]);
});

test("a machine whose reboot failed has its slot since it was given the first time", async () => {
  const { settings } = await fleetServer(200, "");
  const machine = await applied(settings);
  const before = { ...(await readState(machine)), lockedMs: NOW - 5000 };
  await writeFile(join(machine.root, STATE), formatState(before));
  await play(machine, [LOCK, ...SYNC, LOCK, LOCK, REBOOT], (ctx) => runUpdates(ctx, world));
  expect((await readState(machine)).lockedMs).toBe(NOW - 5000);
});

test("pause, hold and their ends", async () => {
  const machine = await applied(OFFLINE);
  const digest = `sha256:${"ab".repeat(32)}`;
  await play(machine, [LOCK], (ctx) => updatesPause(ctx, {}));
  await play(machine, [LOCK], (ctx) => updatesHold(ctx, digest));
  const status = await play(machine, [], (ctx) => showUpdatesStatus(ctx, world, {}));
  expect(status).toContain(`Held: ${digest}\n`);
  expect(status).toContain("Not now: pause: paused by `bootc updates pause`");
  await play(machine, [LOCK], (ctx) => updatesResume(ctx));
  expect(await play(machine, [LOCK], (ctx) => updatesRelease(ctx, "x"))).toContain("not held");
  await play(machine, [LOCK], (ctx) => updatesRelease(ctx, undefined));
  expect(await readState(machine)).toMatchObject({ pause: undefined, held: [] });
  expect(await play(machine, [], (ctx) => updatesHistory(ctx, {}))).toMatch(
    /Z paused paused\n.*Z held sha256.*\n.*Z resumed resumed\n.*Z released sha256/,
  );
  expect(await play(machine, [], (ctx) => updatesHold(ctx, "latest"))).toContain("is not a digest");
});

test.each([
  ["90m", NOW + 90 * 60_000],
  ["7d", NOW + 7 * 86_400_000],
  ["2026-12-24", Date.UTC(2026, 11, 24)],
  ["2026-12-24T18:00:00+01:00", Date.UTC(2026, 11, 24, 17)],
])("pause --until %s", (text, want) => {
  expect(parseUntil(text, NOW)).toBe(want);
});

test.each(["tomorrow", "2026-12-24T18:00", "8", "2020-01-01"])(
  "pause --until %s is refused",
  (it) => {
    expect(() => parseUntil(it, NOW)).toThrow(/is not a time|is in the past/);
  },
);

test("a damaged state pauses updates, is set aside by the next run, and never breaks status", async () => {
  const machine = await applied(OFFLINE);
  await writeFile(join(machine.root, STATE), "{");
  const status = await play(machine, [], (ctx) => showUpdatesStatus(ctx, world, {}));
  expect(status).toContain(
    "Not now: pause: the state of automatic updates is malformed: it is not JSON",
  );
  const run = await play(machine, [LOCK, LOCK, LOCK], (ctx) => runUpdates(ctx, world));
  expect(run).toContain("! warning: the state of automatic updates is malformed: it is not JSON");
  expect(run).toContain("`bootc updates resume` starts anew");
  const names = await readdir(join(machine.root, "var/lib/bootc/updates"));
  expect(names).toEqual(["state.json", `state.json.damaged-${NOW}`]);
});

const SETTINGS = "etc/bootc/updates.d/50.toml";

test.each([
  [STATE, 500],
  [SETTINGS, 150],
  ["etc/machine-id", 50],
])("status never fails: %s damaged in %d ways", async (name, numRuns) => {
  const machine = await machineOf("2025.2");
  await configured(machine, "[updates]\nenabled = true\n", {
    ...EMPTY_STATE,
    found: { digest: "sha256:b", annotations: {} },
    pause: { sinceMs: 1, reason: "x" },
  });
  const path = join(machine.root, name);
  const original = await readFile(path).catch(() => Buffer.from("0".repeat(32)));
  const damage = fc.record({
    at: fc.nat(400),
    length: fc.nat(30),
    instead: fc.uint8Array({ maxLength: 12 }),
  });
  await fc.assert(
    fc.asyncProperty(damage, async ({ at, length, instead }) => {
      const start = at % (original.length + 1);
      const bytes = [original.subarray(0, start), instead, original.subarray(start + length)];
      await writeFile(path, Buffer.concat(bytes));
      const { ctx, transcript } = scriptedContext(machine.root, []);
      const unbound = { ...ctx, read: async () => "[]" };
      await showUpdatesStatus(unbound, world, {});
      expect(transcript()).toContain("> Automatic updates: ");
      await writeFile(path, original);
    }),
    { numRuns },
  );
});

test("status of a system that is not a host of ours, and of one that cannot be read", async () => {
  const { ctx, transcript } = scriptedContext("/nonexistent", []);
  await showUpdatesStatus(ctx, world, {});
  expect(transcript()).toContain("Not now: host: this system was not booted via bootc");
});

test("run starts nothing where it may not run", async () => {
  await expectRefused((ctx) => runUpdates(ctx, world));
});
