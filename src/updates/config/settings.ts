// Everything that can be configured: the name of each key, its kind, and what holds without it.
import {
  type Judge,
  judgeFlag,
  judgeText,
  numberBetween,
  oneOf,
  texts,
  timeZone,
  type WeeklyWindow,
  webAddress,
  wholeBetween,
  windows,
} from "./value-kinds.ts";

interface Key<T> {
  readonly judge: Judge<T>;
  readonly fallback: T;
}

const DAY_MINUTES = 24 * 60;
const permission = oneOf("always", "window", "never");

export const KEYS = {
  "updates.enabled": key(judgeFlag, true),
  "updates.strategy": key(oneOf("immediate", "periodic", "fleet_lock"), "immediate"),
  "updates.periodic.time_zone": key(timeZone, "UTC"),
  "updates.periodic.window": key<readonly WeeklyWindow[]>(windows, []),
  // By default, starts are spread over half of each window.
  "updates.periodic.jitter_minutes": optional(numberBetween(0, DAY_MINUTES)),
  "updates.fleet_lock.base_url": optional(webAddress),
  "updates.fleet_lock.ca_file": optional(judgeText),
  "updates.fleet_lock.user": optional(judgeText),
  "updates.fleet_lock.password_file": optional(judgeText),
  "updates.fleet_lock.timeout_seconds": key(numberBetween(1, 600), 30),
  "identity.group": key(judgeText, "default"),
  "identity.node_id": optional(judgeText),
  "identity.rollout_wariness": optional(numberBetween(0, 1)),
  "steps.check": key(permission, "always"),
  "steps.download": key(permission, "always"),
  "steps.finalize": key(permission, "window"),
  "steps.reboot": key(permission, "window"),
  "gates.sessions": key(judgeFlag, true),
  "gates.sessions_grace_minutes": key(numberBetween(0, DAY_MINUTES), 10),
  "gates.inhibitors": key(judgeFlag, true),
  "gates.metered": key(judgeFlag, true),
  "gates.battery": key(judgeFlag, true),
  "gates.battery_min_percent": key(numberBetween(0, 100), 40),
  "gates.mains": key(judgeFlag, false),
  "gates.load": key(judgeFlag, false),
  "gates.load_max_per_processor": key(numberBetween(0.01, 1000), 1),
  "gates.pressure": key(judgeFlag, false),
  "gates.pressure_max_percent": key(numberBetween(0, 100), 30),
  "gates.free_space": key(judgeFlag, true),
  "gates.free_space_min_mib": key(numberBetween(0, 1e9), 1024),
  "gates.programs": key(judgeFlag, true),
  "gates.programs_timeout_seconds": key(numberBetween(1, 3600), 30),
  "health.enabled": key(judgeFlag, false),
  "health.limit_seconds": key(wholeBetween(30, 7200), 600),
  "health.tries": key(wholeBetween(1, 10), 2),
  "health.units": key<readonly string[]>(texts, []),
  "health.failed_units": key<readonly string[]>(texts, []),
} as const;

export type SettingName = keyof typeof KEYS;

type ValueOf<K> = K extends Key<infer T> ? T : never;

export type Settings = { readonly [K in SettingName]: ValueOf<(typeof KEYS)[K]> };

export const DEFAULT_SETTINGS = Object.fromEntries(
  Object.entries(KEYS).map(([name, { fallback }]) => [name, fallback]),
) as Settings;

export function isSettingName(name: string): name is SettingName {
  return Object.hasOwn(KEYS, name);
}

function key<T>(judge: Judge<T>, fallback: NoInfer<T>): Key<T> {
  return { judge, fallback };
}

function optional<T>(judge: Judge<T>): Key<T | undefined> {
  return { judge, fallback: undefined };
}
