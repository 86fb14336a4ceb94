// Makes settings of configuration files: which file decides each value, and what is wrong in which line.

import { messageOf } from "../../errors.ts";
import { isObject } from "../../format/json.ts";
import { parseToml } from "../../format/toml-file.ts";
import {
  DEFAULT_SETTINGS,
  isSettingName,
  KEYS,
  type SettingName,
  type Settings,
} from "./settings.ts";
import { findPlace, type PlacedValue, placesInToml, type TomlPath } from "./toml-places.ts";
import type { Misfit } from "./value-kinds.ts";

export interface UpdatesFile {
  /** As on the machine: `/etc/bootc/updates.d/50-windows.toml`. */
  readonly path: string;
  readonly text: string;
}

export interface MergedSettings {
  readonly settings: Settings;
  /** `PATH:LINE:COLUMN` of each value that a file sets. */
  readonly origins: Readonly<Partial<Record<SettingName, string>>>;
  /** One line each. */
  readonly mistakes: readonly string[];
}

interface Merging {
  readonly settings: Record<string, unknown>;
  readonly origins: Partial<Record<SettingName, string>>;
  readonly mistakes: string[];
}

/**
 * Of files with the same name, those in directories further back count, and the values of later names
 * replace those of earlier names. A list is replaced as a whole.
 */
export function mergeConfig(directories: readonly (readonly UpdatesFile[])[]): MergedSettings {
  const byName = new Map<string, UpdatesFile>();
  for (const file of directories.flat()) byName.set(nameOf(file), file);
  const merging: Merging = { settings: { ...DEFAULT_SETTINGS }, origins: {}, mistakes: [] };
  const inOrder = [...byName].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, it]) => it);
  for (const file of inOrder) mergeFile(merging, file);
  // Each value has passed the judge of its key.
  const settings = merging.settings as Settings;
  return { ...merging, settings, mistakes: [...merging.mistakes, ...contradictions(settings)] };
}

function nameOf({ path }: UpdatesFile): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

function mergeFile(merging: Merging, file: UpdatesFile): void {
  let document: Readonly<Record<string, unknown>>;
  try {
    document = parseToml(`\`${file.path}\``, file.text);
  } catch (error) {
    merging.mistakes.push(messageOf(error));
    return;
  }
  const places = placesInToml(file.text);
  for (const { path, value } of leavesOf(document)) {
    mergeValue(merging, { file, places, path, value });
  }
}

interface Found {
  readonly path: readonly string[];
  readonly value: unknown;
}

/** The values by their keys. A table is a value only where a key of ours would take it. */
function leavesOf(table: Readonly<Record<string, unknown>>, above: readonly string[] = []) {
  return Object.entries(table).flatMap(([word, value]): readonly Found[] => {
    const path = [...above, word];
    const name = path.join(".");
    const hasKeysBelow = Object.keys(KEYS).some((it) => it.startsWith(`${name}.`));
    return isObject(value) && hasKeysBelow ? leavesOf(value, path) : [{ path, value }];
  });
}

function mergeValue(
  merging: Merging,
  { file, places, path, value }: Found & { file: UpdatesFile; places: readonly PlacedValue[] },
): void {
  const name = path.join(".");
  const placeOf = (below: TomlPath, what: "key" | "value") => {
    const { line, column } = findPlace(places, [...path, ...below], what);
    return { short: `${file.path}:${line}:${column}`, long: `line ${line}, column ${column}` };
  };
  const complain = (misfit: Misfit) => {
    const place = placeOf(misfit.path, misfit.isKey === true ? "key" : "value").long;
    const what = formatPath([...path, ...misfit.path]);
    merging.mistakes.push(`\`${file.path}\`, ${place}: \`${what}\` ${misfit.reason}`);
  };
  if (!isSettingName(name)) {
    complain({ path: [], isKey: true, reason: describeUnknown(name) });
    return;
  }
  const judged = KEYS[name].judge(value);
  if ("misfits" in judged) {
    for (const misfit of judged.misfits) complain(misfit);
    return;
  }
  merging.settings[name] = judged.value;
  merging.origins[name] = placeOf([], "key").short;
}

function describeUnknown(name: string): string {
  const hasKeysBelow = Object.keys(KEYS).some((it) => it.startsWith(`${name}.`));
  return hasKeysBelow ? "is not a table" : "is not known";
}

/** A path as people write it: `updates.periodic.window[1].days`. */
function formatPath(path: TomlPath): string {
  return path
    .map((it, i) => (typeof it === "number" ? `[${it}]` : `${i === 0 ? "" : "."}${it}`))
    .join("");
}

/** Settings that are right on their own, but not together. */
function contradictions(settings: Settings): readonly string[] {
  const strategy = settings["updates.strategy"];
  const server = settings["updates.fleet_lock.base_url"];
  const { length: windowCount } = settings["updates.periodic.window"];
  const isLoneUser =
    (settings["updates.fleet_lock.user"] === undefined) !==
    (settings["updates.fleet_lock.password_file"] === undefined);
  return [
    ...(strategy === "periodic" && windowCount === 0
      ? ["the strategy is `periodic`, but there is no `[[updates.periodic.window]]`"]
      : []),
    ...(strategy === "fleet_lock" && server === undefined
      ? ["the strategy is `fleet_lock`, but there is no `updates.fleet_lock.base_url`"]
      : []),
    ...(isLoneUser
      ? ["`updates.fleet_lock` needs both `user` and `password_file`, or neither"]
      : []),
  ];
}
