// `bootc updates pause`: no download, change or reboot by itself until a time, or until `resume`.
import { BootcError } from "../../errors.ts";
import type { Context } from "../../system/context.ts";
import { requireRoot } from "../../system/privileges.ts";
import { changeState } from "../../updates/machine/change-state.ts";
import { REAL_SURROUNDINGS } from "../../updates/machine/surroundings.ts";
import { type Pause, type UpdatesState, withEvent } from "../../updates/state.ts";
import { formatMoment } from "../../updates/status.ts";

export interface PauseOptions {
  readonly until?: string;
}

export async function updatesPause(ctx: Context, { until }: PauseOptions): Promise<void> {
  await requireRoot(ctx);
  const nowMs = REAL_SURROUNDINGS.now();
  const untilMs = until === undefined ? undefined : parseUntil(until, nowMs);
  const end = untilMs === undefined ? "" : ` until ${formatMoment(untilMs)}`;
  const pause = {
    ...{ sinceMs: nowMs, reason: "paused by `bootc updates pause`" },
    ...(untilMs === undefined ? {} : { untilMs }),
  };
  await changeState(ctx, nowMs, (state) => withPause(state, pause, `paused${end}`));
  ctx.say(`Automatic updates are paused${end}.`);
}

/** An operator that moves the end every minute would fill the history, so only a new pause is an event. */
export function withPause(state: UpdatesState, pause: Pause, text: string): UpdatesState {
  const before = state.pause;
  const atMs = pause.sinceMs;
  if (before !== undefined && (before.untilMs ?? Number.POSITIVE_INFINITY) > atMs) {
    return { ...state, pause: { ...pause, sinceMs: before.sinceMs } };
  }
  return withEvent({ ...state, pause }, { atMs, event: "paused", text });
}

const UNITS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A time of RFC 3339, a date, or a duration from now on: `90m`, `8h`, `7d`. */
export function parseUntil(text: string, nowMs: number): number {
  const [, digits, unit = ""] = /^(\d{1,6})([mhd])$/.exec(text) ?? [];
  if (digits !== undefined) return nowMs + Number(digits) * (UNITS[unit] ?? 0);
  const isTime = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d))?$/.test(text);
  const ms = isTime ? Date.parse(text) : Number.NaN;
  const example = "write `8h`, `7d`, `2026-12-24` or `2026-12-24T18:00:00+01:00`";
  if (Number.isNaN(ms)) {
    throw new BootcError(`\`${text}\` is not a time`, { kind: "usage", hint: example });
  }
  if (ms > nowMs) return ms;
  throw new BootcError(`\`${text}\` is in the past`, { kind: "usage", hint: example });
}
