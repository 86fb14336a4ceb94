import { expect, test } from "vitest";
import { parseInhibitors, parseMetered, parseSessions } from "../programs/logind.ts";
import { DEFAULT_SETTINGS } from "./config/settings.ts";
import {
  gatesOf,
  judgeBattery,
  judgeFreeSpace,
  judgeInhibitors,
  judgeLoad,
  judgeMains,
  judgeMetered,
  judgePressure,
  judgeSessions,
  type PowerSupply,
} from "./gates.ts";

const supply = (type: string, more: Partial<PowerSupply> = {}): PowerSupply => ({
  type,
  isOnline: undefined,
  percent: undefined,
  isOfDevice: false,
  ...more,
});
const adapter = (isOnline: boolean) => supply("Mains", { isOnline });
const battery = (percent: number) => supply("Battery", { percent });

test.each<readonly [string, readonly PowerSupply[], boolean, boolean]>([
  ["a server", [], false, false],
  ["a server with an adapter that is off", [adapter(false)], false, false],
  ["a laptop on mains", [adapter(true), battery(10)], false, false],
  ["a laptop by USB", [supply("USB", { isOnline: true }), battery(10)], false, false],
  ["a laptop on a full battery", [adapter(false), battery(90)], true, false],
  ["a laptop on a low battery", [adapter(false), battery(39)], true, true],
  [
    "a laptop with a second, fuller battery",
    [adapter(false), battery(3), battery(80)],
    true,
    false,
  ],
  [
    "a desktop with the battery of a mouse",
    [supply("Battery", { percent: 5, isOfDevice: true })],
    false,
    false,
  ],
])("power of %s", (_, supplies, isOnBattery, isLow) => {
  expect(judgeMains(supplies) !== undefined).toBe(isOnBattery);
  expect(judgeBattery(supplies, 40) !== undefined).toBe(isLow);
});

test.each([
  ["0.50 2.01 1.00 1/100 1", true],
  ["9.50 2.00 9.00 1/100 1", false],
  ["", false],
])("load %j on two processors", (text, isClosed) => {
  expect(judgeLoad(text, { processors: 2, most: 1 }) !== undefined).toBe(isClosed);
});

test("pressure: the line of `some`, over a minute", () => {
  const text =
    "some avg10=99.00 avg60=31.00 avg300=0.00 total=1\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n";
  expect(judgePressure(text, { resource: "io", mostPercent: 30 })?.reason).toBe(
    "tasks wait for io during 31 % of the time",
  );
  expect(judgePressure(text, { resource: "io", mostPercent: 31 })).toBeUndefined();
  expect(judgePressure("", { resource: "io", mostPercent: 0 })).toBeUndefined();
});

test("free space, and connections that cost money", () => {
  expect(judgeFreeSpace(1023.5, 1024)?.reason).toBe("1023 MiB are free, less than 1024 MiB");
  expect(judgeFreeSpace(1024, 1024)).toBeUndefined();
  expect([0, 1, 2, 3, 4].map((it) => judgeMetered(it) !== undefined)).toEqual([
    ...[false, true, false, true, false],
  ]);
  expect(parseMetered('{"type":"u","data":4}')).toBe(4);
});

test("only inhibitors that block a shutdown count", () => {
  const row = (what: string, mode: string) => ({ what, who: "w", why: "y", mode });
  expect(judgeInhibitors([row("sleep", "block"), row("shutdown", "delay")])).toBeUndefined();
  expect(judgeInhibitors([row("idle:shutdown", "block")])?.reason).toBe(
    "`w` forbids a shutdown: y",
  );
  // systemd 257 has a weaker kind of block, too.
  expect(judgeInhibitors([row("shutdown", "block-weak")])).toBeDefined();
});

test("what loginctl and busctl print", () => {
  expect(parseSessions("")).toEqual([]);
  expect(parseSessions("[]\n")).toEqual([]);
  // systemd 239 prints a table whatever it is asked for, and systemd 252 nothing without a session.
  const table = "  1 1000 ann seat0 tty2\n c2   42 gdm seat0 -\n  3 1000 ann -     -\n\n";
  expect(parseSessions(table)).toEqual([
    { user: "ann", terminal: "tty2", scope: "user-1000.slice/session-1.scope" },
    { user: "gdm", terminal: "seat0", scope: "user-42.slice/session-c2.scope" },
    { user: "ann", terminal: undefined, scope: "user-1000.slice/session-3.scope" },
  ]);
  expect(
    parseSessions('[{"session":"3","uid":0,"user":"root","seat":"","tty":"pts/0"},{"user":"x"}]'),
  ).toEqual([
    { user: "root", terminal: "pts/0", scope: "user-0.slice/session-3.scope" },
    { user: "x", terminal: undefined, scope: undefined },
  ]);
  expect(
    parseInhibitors('{"type":"a(ssssuu)","data":[[["sleep","UPower","Pause","delay",0,9]]]}'),
  ).toEqual([{ what: "sleep", who: "UPower", why: "Pause", mode: "delay" }]);
  expect(() => parseInhibitors('{"data":3}')).toThrow("`busctl` gave an unexpected answer");
});

test("sessions matter until the grace period is over", () => {
  const sessions = [
    { user: "eve", terminal: "tty1" },
    { user: "cron", terminal: undefined },
  ];
  const judge = (warnedMs: number | undefined, graceMs = 10) =>
    judgeSessions(sessions, { nowMs: 100, graceMs, warnedMs });
  expect(judge(undefined)).toEqual({ reason: "logged in: eve", untilMs: 110 });
  expect(judge(95)).toEqual({ reason: "logged in: eve", untilMs: 105 });
  expect(judge(90)).toBeUndefined();
  expect(judge(undefined, 0)).toBeUndefined();
  expect(judgeSessions([], { nowMs: 1, graceMs: 9, warnedMs: undefined })).toBeUndefined();
});

test("gates are asked for the steps that they guard, unless they are off", () => {
  expect(gatesOf(DEFAULT_SETTINGS, "download")).toEqual([
    ...["free_space", "metered", "battery", "programs"],
  ]);
  const settings = { ...DEFAULT_SETTINGS, "gates.sessions": false };
  expect(gatesOf(settings, "reboot")).toEqual(["battery", "inhibitors", "programs"]);
  expect(gatesOf(DEFAULT_SETTINGS, "check")).toEqual([]);
});
