// When weekly windows are open, by the clock on the wall of a time zone, for one machine among many.
import { DAYS, type WeeklyWindow } from "./config/value-kinds.ts";

export interface WindowPlan {
  readonly windows: readonly WeeklyWindow[];
  readonly timeZone: string;
  /** Over how much of a window's beginning machines are spread; by default half of the window. */
  readonly jitterMinutes: number | undefined;
  /** The place of this machine among all, from 0 to below 1. */
  readonly share: number;
}

/** A span of time; the end does not belong to it. */
export interface Span {
  readonly startMs: number;
  readonly endMs: number;
}

export interface WindowState {
  /** The span that is open now. */
  readonly open: Span | undefined;
  /** The first span that begins later; undefined when there are no windows. */
  readonly next: Span | undefined;
}

/** A window that began this many days ago may still be open, because none is longer than a week. */
const DAYS_AROUND = 9;
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/** Which span is open for this machine, and which opens next. */
export function decideWindow(plan: WindowPlan, nowMs: number): WindowState {
  const spans = spansAround(plan, nowMs).map((span) => delayed(span, plan));
  return {
    open: spans.find(({ startMs, endMs }) => startMs <= nowMs && nowMs < endMs),
    next: spans.find(({ startMs }) => startMs > nowMs),
  };
}

/** The spans of all machines around `nowMs`, in order. Windows that touch are one span. */
export function spansAround(
  { windows, timeZone }: Pick<WindowPlan, "windows" | "timeZone">,
  nowMs: number,
): readonly Span[] {
  const today = Temporal.Instant.fromEpochMilliseconds(nowMs)
    .toZonedDateTimeISO(timeZone)
    .toPlainDate();
  const dates = Array.from({ length: 2 * DAYS_AROUND + 1 }, (_, i) =>
    today.add({ days: i - DAYS_AROUND }),
  );
  const spans = windows.flatMap((window) =>
    dates
      .filter((date) => window.days.some((day) => DAYS.indexOf(day) + 1 === date.dayOfWeek))
      .map((date) => spanOn(date, window, timeZone)),
  );
  return joined(spans);
}

/**
 * The span of a window that begins on `date`. It lasts from the first moment at which the clock shows the
 * start until the first at which it shows the end, so a night in which the clock is changed is shorter or
 * longer. If the change skips all of the window, it begins at the change and keeps its length.
 */
function spanOn(date: Temporal.PlainDate, window: WeeklyWindow, timeZone: string): Span {
  const start = date.toPlainDateTime().add({ minutes: window.startMinute });
  const startMs = firstMoment(start, timeZone);
  const endMs = firstMoment(start.add({ minutes: window.lengthMinutes }), timeZone);
  return { startMs, endMs: endMs > startMs ? endMs : startMs + window.lengthMinutes * MINUTE_MS };
}

/** When a clock first shows `time`; for a time that is skipped, the moment of the change. */
function firstMoment(time: Temporal.PlainDateTime, timeZone: string): number {
  const found = time.toZonedDateTime(timeZone, { disambiguation: "earlier" });
  if (found.toPlainDateTime().equals(time)) return found.epochMilliseconds;
  const change = found.getTimeZoneTransition("next");
  if (change === null) throw new Error("unreachable: a skipped time without a change of the clock");
  return change.epochMilliseconds;
}

function joined(spans: readonly Span[]): readonly Span[] {
  const whole: Span[] = [];
  for (const span of spans.toSorted((a, b) => a.startMs - b.startMs)) {
    const last = whole.at(-1);
    if (last === undefined || span.startMs > last.endMs) whole.push(span);
    else whole[whole.length - 1] = { ...last, endMs: Math.max(last.endMs, span.endMs) };
  }
  return whole;
}

/** The part of a span that this machine uses: it begins later, by its share of the jitter. */
function delayed(span: Span, { jitterMinutes, share }: WindowPlan): Span {
  const lengthMs = span.endMs - span.startMs;
  // Windows that follow each other for days are no longer windows, so that no wait of days arises.
  const halfMs = Math.min(lengthMs, DAY_MS) / 2;
  const jitterMs = jitterMinutes === undefined ? halfMs : jitterMinutes * MINUTE_MS;
  // Even the last machine has a minute, or half of a window of one minute.
  const mostMs = Math.max(lengthMs - MINUTE_MS, lengthMs / 2);
  return { ...span, startMs: span.startMs + Math.floor(share * Math.min(jitterMs, mostMs)) };
}
