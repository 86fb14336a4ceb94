// The kinds of values that a configuration may have, and what is wrong with a value of another kind.
import { isObject } from "../../format/json.ts";
import type { TomlPath } from "./toml-places.ts";

/** A value that does not fit, at a path below its key. */
export interface Misfit {
  readonly path: TomlPath;
  readonly isKey?: boolean;
  readonly reason: string;
}

export type JudgedValue<T> = { readonly value: T } | { readonly misfits: readonly Misfit[] };

export type Judge<T> = (value: unknown) => JudgedValue<T>;

export const DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"] as const;
export type Day = (typeof DAYS)[number];

/** A span of time that begins on some days of each week, by the clock on the wall. */
export interface WeeklyWindow {
  readonly days: readonly Day[];
  /** Minutes after midnight. */
  readonly startMinute: number;
  readonly lengthMinutes: number;
}

export const WEEK_MINUTES = 7 * 24 * 60;

export const judgeFlag: Judge<boolean> = (value) =>
  typeof value === "boolean" ? { value } : misfit("is neither `true` nor `false`");

export const judgeText: Judge<string> = (value) =>
  typeof value === "string" ? { value } : misfit("is not a text in quotes");

export function oneOf<const T extends string>(...choices: readonly T[]): Judge<T> {
  return (value) => {
    const found = choices.find((it) => it === value);
    if (found !== undefined) return { value: found };
    return misfit(`is none of ${choices.map((it) => `\`${it}\``).join(", ")}`);
  };
}

export function numberBetween(least: number, most: number): Judge<number> {
  return (value) =>
    typeof value === "number" && value >= least && value <= most
      ? { value }
      : misfit(`is not a number from ${least} to ${most}`);
}

export function wholeBetween(least: number, most: number): Judge<number> {
  return (value) =>
    Number.isInteger(value)
      ? numberBetween(least, most)(value)
      : misfit(`is not a whole number from ${least} to ${most}`);
}

export const texts: Judge<readonly string[]> = (value) => {
  if (!Array.isArray(value)) return misfit("is not a list of texts");
  const judged = value.map((it, i) => below([i], judgeText(it)));
  const misfits = judged.flatMap((it) => ("misfits" in it ? it.misfits : []));
  if (misfits.length > 0) return { misfits };
  return { value: judged.flatMap((it) => ("value" in it ? [it.value] : [])) };
};

export const webAddress: Judge<string> = (value) => {
  const url = typeof value === "string" ? URL.parse(value) : null;
  if (url === null || !/^https?:$/.test(url.protocol)) return misfit("is not an http(s) address");
  if (url.username !== "" || url.password !== "") {
    return misfit("has a user or a password in it; `user` and `password_file` are for them");
  }
  return { value: url.href };
};

export const timeZone: Judge<string> = (value) => {
  if (value === "localtime") return { value };
  try {
    if (typeof value === "string") {
      new Intl.DateTimeFormat("en", { timeZone: value });
      return { value };
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  return misfit("is neither a time zone, such as `Europe/Berlin`, nor `localtime`");
};

export const windows: Judge<readonly WeeklyWindow[]> = (value) => {
  if (!Array.isArray(value)) return misfit("is not a list of windows");
  const judged = value.map((it, i) => below([i], judgeWindow(it)));
  const misfits = judged.flatMap((it) => ("misfits" in it ? it.misfits : []));
  if (misfits.length > 0) return { misfits };
  return { value: judged.flatMap((it) => ("value" in it ? [it.value] : [])) };
};

function judgeWindow(value: unknown): JudgedValue<WeeklyWindow> {
  if (!isObject(value)) return misfit("is not a window");
  const { days, start_time: start, length_minutes: length, ...others } = value;
  const parts = [
    below(["days"], judgeDays(days)),
    below(["start_time"], judgeTime(start)),
    below(["length_minutes"], judgeLength(length)),
  ] as const;
  const misfits = [
    ...Object.keys(others).map((it) => ({ path: [it], isKey: true, reason: "is not known" })),
    ...parts.flatMap((it) => ("misfits" in it ? it.misfits : [])),
  ];
  const [dayList, minute, minutes] = parts;
  if (misfits.length > 0 || !("value" in dayList && "value" in minute && "value" in minutes)) {
    return { misfits };
  }
  const [startMinute, lengthMinutes] = [minute.value, minutes.value];
  return { value: { days: dayList.value, startMinute, lengthMinutes } };
}

function judgeDays(value: unknown): JudgedValue<readonly Day[]> {
  if (!Array.isArray(value) || value.length === 0) return misfit(`is not a list of ${DAYS}`);
  const found = value.map((it: unknown) => DAYS.find((day) => day === it));
  const misfits = found.flatMap((it, i) =>
    it === undefined ? [{ path: [i], reason: `is none of ${DAYS.join(", ")}` }] : [],
  );
  return misfits.length > 0 ? { misfits } : { value: found.filter((it) => it !== undefined) };
}

function judgeTime(value: unknown): JudgedValue<number> {
  const [, hour, minute] =
    (typeof value === "string" && /^([01]?\d|2[0-3]):([0-5]\d)$/.exec(value)) || [];
  if (hour === undefined) return misfit("is not a time of day in quotes, such as `02:30`");
  return { value: Number(hour) * 60 + Number(minute) };
}

function judgeLength(value: unknown): JudgedValue<number> {
  const isWhole = Number.isInteger(value);
  return isWhole ? numberBetween(1, WEEK_MINUTES)(value) : misfit("is not a number of minutes");
}

function below<T>(path: TomlPath, judged: JudgedValue<T>): JudgedValue<T> {
  if ("value" in judged) return judged;
  return { misfits: judged.misfits.map((it) => ({ ...it, path: [...path, ...it.path] })) };
}

function misfit(reason: string): { readonly misfits: readonly Misfit[] } {
  return { misfits: [{ path: [], reason }] };
}
