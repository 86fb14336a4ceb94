// Prints settings: as TOML in which each line says where its value comes from, and as data.
import type { MergedSettings } from "./merge.ts";
import { KEYS, type SettingName } from "./settings.ts";
import type { WeeklyWindow } from "./value-kinds.ts";

/** A document that gives the same settings when it is read as a file. */
export function formatConfig({ settings, origins }: MergedSettings): string {
  const names = Object.keys(KEYS) as readonly SettingName[];
  return names
    .map((name) => {
      const value = settings[name];
      const origin = origins[name] ?? "default";
      if (value === undefined) return `# ${name} is not set`;
      return `${name} = ${formatValue(value)} # ${origin}`;
    })
    .join("\n");
}

function formatValue(
  value: string | number | boolean | readonly (WeeklyWindow | string)[],
): string {
  if (typeof value !== "object") return JSON.stringify(value);
  const items = value.map((it) => (typeof it === "string" ? JSON.stringify(it) : formatWindow(it)));
  return `[${items.join(", ")}]`;
}

function formatWindow(window: WeeklyWindow): string {
  const days = JSON.stringify(window.days).replaceAll(",", ", ");
  const start = formatMinute(window.startMinute);
  return `{ days = ${days}, start_time = "${start}", length_minutes = ${window.lengthMinutes} }`;
}

/** `02:30` for minutes after midnight. */
export function formatMinute(minute: number): string {
  const parts = [Math.floor(minute / 60), minute % 60];
  return parts.map((it) => String(it).padStart(2, "0")).join(":");
}

/** For programs: every setting with its value and origin. */
export function configAsData({ settings, origins, mistakes }: MergedSettings) {
  const names = Object.keys(KEYS) as readonly SettingName[];
  return {
    settings: Object.fromEntries(
      names.map((name) => [
        name,
        { value: settings[name] ?? null, origin: origins[name] ?? "default" },
      ]),
    ),
    mistakes,
  };
}
