import fc from "fast-check";
import { expect, test } from "vitest";
import { DAYS, type Day, type WeeklyWindow } from "./config/value-kinds.ts";
import { shareOf } from "./share.ts";
import { decideWindow, spansAround } from "./window.ts";

const ZONES = Intl.supportedValuesOf("timeZone");
const FROM = Date.UTC(2024, 0, 1);
const TO = Date.UTC(2034, 0, 1);
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const window = (days: readonly Day[], time: string, lengthMinutes: number): WeeklyWindow => {
  const [hour = 0, minute = 0] = time.split(":").map(Number);
  return { days, startMinute: hour * 60 + minute, lengthMinutes };
};
const wall = (ms: number, timeZone: string) =>
  Temporal.Instant.fromEpochMilliseconds(ms).toZonedDateTimeISO(timeZone);

interface NightRow {
  readonly what: string;
  readonly zone: string;
  readonly window: WeeklyWindow;
  readonly near: string;
  readonly want: readonly [string, string];
}

test.each<NightRow>([
  {
    what: "an ordinary night, across midnight",
    zone: "Europe/Berlin",
    window: window(["Sat"], "23:30", 120),
    near: "2026-06-06T22:00Z",
    want: ["2026-06-06T21:30:00Z", "2026-06-06T23:30:00Z"],
  },
  {
    what: "a night that loses an hour",
    zone: "Europe/Berlin",
    window: window(["Sun"], "01:00", 180),
    near: "2026-03-29T00:30Z",
    want: ["2026-03-29T00:00:00Z", "2026-03-29T02:00:00Z"],
  },
  {
    what: "a night that gains an hour",
    zone: "Europe/Berlin",
    window: window(["Sun"], "01:00", 180),
    near: "2026-10-25T00:30Z",
    want: ["2026-10-24T23:00:00Z", "2026-10-25T03:00:00Z"],
  },
  {
    what: "a window that begins in the skipped hour",
    zone: "America/New_York",
    window: window(["Sun"], "02:30", 60),
    near: "2026-03-08T07:10Z",
    want: ["2026-03-08T07:00:00Z", "2026-03-08T07:30:00Z"],
  },
  {
    what: "a window that is skipped whole keeps its length",
    zone: "America/New_York",
    window: window(["Sun"], "02:10", 40),
    near: "2026-03-08T07:10Z",
    want: ["2026-03-08T07:00:00Z", "2026-03-08T07:40:00Z"],
  },
  {
    what: "a window in the repeated hour opens once",
    zone: "America/New_York",
    window: window(["Sun"], "01:15", 30),
    near: "2026-11-01T05:20Z",
    want: ["2026-11-01T05:15:00Z", "2026-11-01T05:45:00Z"],
  },
  {
    what: "a change of half an hour",
    zone: "Australia/Lord_Howe",
    window: window(["Sun"], "01:00", 120),
    near: "2026-10-03T15:00Z",
    want: ["2026-10-03T14:30:00Z", "2026-10-03T16:00:00Z"],
  },
])("$what", ({ zone, window: it, near, want }) => {
  const nearMs = Date.parse(near);
  const plan = { windows: [it], timeZone: zone, jitterMinutes: 0, share: 0 };
  const { open } = decideWindow(plan, nearMs);
  const text = (ms: number | undefined) =>
    ms === undefined ? "never" : Temporal.Instant.fromEpochMilliseconds(ms).toString();
  expect([text(open?.startMs), text(open?.endMs)]).toEqual(want);
  expect(decideWindow(plan, (open?.endMs ?? 0) - 1).open).toEqual(open);
  expect(decideWindow(plan, open?.endMs ?? 0).open).toBeUndefined();
  expect(decideWindow(plan, (open?.startMs ?? 0) - 1).next).toEqual(open);
});

test("the repeated time of a short window does not open it again", () => {
  const windows = [window(["Sun"], "01:15", 30)];
  const plan = { windows, timeZone: "America/New_York", jitterMinutes: 0, share: 0 };
  expect(decideWindow(plan, Date.parse("2026-11-01T06:20Z")).open).toBeUndefined();
});

test("windows that touch are one, and every day from midnight to midnight is always open", () => {
  const windows = [window(DAYS, "00:00", 1440)];
  const plan = { windows, timeZone: "Europe/Berlin", jitterMinutes: undefined, share: 0.99 };
  const now = Date.parse("2026-05-05T10:00Z");
  expect(decideWindow(plan, now).open).toBeDefined();
  expect(decideWindow(plan, now).next).toBeUndefined();
});

test("without windows nothing opens", () => {
  const plan = { windows: [], timeZone: "UTC", jitterMinutes: undefined, share: 0 };
  expect(decideWindow(plan, FROM)).toEqual({ open: undefined, next: undefined });
});

const anyWindow = fc
  .record({
    days: fc.subarray([...DAYS], { minLength: 1 }),
    startMinute: fc.integer({ min: 0, max: 1439 }),
    lengthMinutes: fc.oneof(
      fc.integer({ min: 1, max: 600 }),
      fc.integer({ min: 601, max: 7 * 1440 }),
    ),
  })
  .map((it): WeeklyWindow => it);

/** Whether the clock on the wall shows a time of the window, found minute by minute from its days. */
function isOnWall(ms: number, zone: string, { days, startMinute, lengthMinutes }: WeeklyWindow) {
  const now = wall(ms, zone).toPlainDateTime();
  return [0, 1, 2, 3, 4, 5, 6, 7].some((ago) => {
    const date = now.toPlainDate().subtract({ days: ago });
    const day = DAYS[date.dayOfWeek - 1];
    if (day === undefined || !days.includes(day)) return false;
    const passed = date.toPlainDateTime().add({ minutes: startMinute }).until(now, {
      largestUnit: "minutes",
    });
    const minutes = passed.total("minutes");
    return minutes >= 0 && minutes < lengthMinutes;
  });
}

/** Whether the clock is changed within the days that a window around `ms` can touch. */
function isChangeNear(ms: number, zone: string): boolean {
  const start = wall(ms - 9 * 24 * HOUR, zone);
  const change = start.getTimeZoneTransition("next");
  return change !== null && change.epochMilliseconds < ms + 9 * 24 * HOUR;
}

test.each(ZONES)("ten years in %s: open exactly when the clock on the wall says so", (zone) => {
  fc.assert(
    fc.property(anyWindow, fc.integer({ min: FROM, max: TO }), (it, ms) => {
      if (isChangeNear(ms, zone)) return;
      const plan = { windows: [it], timeZone: zone, jitterMinutes: 0, share: 0 };
      expect(decideWindow(plan, ms).open !== undefined).toBe(isOnWall(ms, zone, it));
    }),
    { numRuns: 6 },
  );
});

/** The changes of the clock in ten years. */
function changesOf(zone: string): readonly number[] {
  const found: number[] = [];
  let at: Temporal.ZonedDateTime | null = wall(FROM, zone).getTimeZoneTransition("next");
  while (at !== null && at.epochMilliseconds < TO) {
    found.push(at.epochMilliseconds);
    at = at.getTimeZoneTransition("next");
  }
  return found;
}

/** One zone of all that change their clocks at the same moments, by as much. */
const CHANGING = [
  ...new Map(
    ZONES.filter((zone) => changesOf(zone).length > 0).map((zone) => [
      `${changesOf(zone)} ${wall(FROM, zone).offset}`,
      zone,
    ]),
  ).values(),
];

test.each(CHANGING)(
  "every change of the clock in %s: no window is lost, doubled or stretched",
  (zone) => {
    for (const change of changesOf(zone)) {
      const day = DAYS[wall(change, zone).dayOfWeek - 1] ?? "Mon";
      for (const startMinute of [0, 30, 60, 90, 120, 150, 180, 1380]) {
        for (const lengthMinutes of [20, 60, 240]) {
          const it = { days: [day], startMinute, lengthMinutes };
          const spans = spansAround({ windows: [it], timeZone: zone }, change).filter(
            ({ startMs }) => Math.abs(startMs - change) < 36 * HOUR,
          );
          expect(spans).toHaveLength(1);
          const [{ startMs, endMs } = { startMs: 0, endMs: 0 }] = spans;
          const shift =
            wall(change, zone).offsetNanoseconds - wall(change - 1, zone).offsetNanoseconds;
          const offMs = endMs - startMs - lengthMinutes * MINUTE;
          expect([0, Math.abs(shift) / 1e6].some((most) => Math.abs(offMs) <= most)).toBe(true);
          if (endMs > change && startMs < change)
            expect(offMs).toBeLessThanOrEqual(Math.max(0, -shift / 1e6));
          const shown = wall(startMs, zone);
          const isShown = shown.hour * 60 + shown.minute === startMinute;
          expect(isShown || startMs === change).toBe(true);
        }
      }
    }
  },
);

test("starts stay inside the window, and are spread evenly over its jitter", () => {
  const windows = [window(["Sun"], "02:00", 120)];
  const now = Date.parse("2026-06-07T03:59:30Z");
  const starts = Array.from({ length: 10_000 }, (_, i) => {
    const share = shareOf(`machine-${i}`, "window");
    const { open } = decideWindow(
      { windows, timeZone: "UTC", jitterMinutes: undefined, share },
      now,
    );
    return ((open?.startMs ?? 0) - Date.parse("2026-06-07T02:00Z")) / MINUTE;
  });
  expect(Math.min(...starts)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...starts)).toBeLessThan(60);
  for (let minute = 0; minute < 60; minute += 6) {
    const count = starts.filter((it) => it >= minute && it < minute + 6).length;
    expect(Math.abs(count - 1000)).toBeLessThan(130);
  }
});

test("every machine has a part of every window, whatever the jitter", () => {
  fc.assert(
    fc.property(
      anyWindow,
      fc.integer({ min: 0, max: 1440 }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (it, jitterMinutes, share) => {
        const plan = { windows: [it], timeZone: "UTC", jitterMinutes, share };
        const { next } = decideWindow(plan, FROM);
        const whole = spansAround(plan, FROM).find((span) => span.endMs === next?.endMs);
        if (next === undefined || whole === undefined) return; // always open
        expect(next.startMs).toBeGreaterThanOrEqual(whole.startMs);
        expect(next.startMs).toBeLessThan(whole.endMs);
      },
    ),
  );
});
