// Conditions of the moment that keep a step from being taken: decisions on what the machine says.
import type { Settings } from "./config/settings.ts";
import type { UpdateStep } from "./state.ts";

export interface GateAnswer {
  readonly reason: string;
  readonly untilMs?: number;
}

export type GateName =
  | "sessions"
  | "inhibitors"
  | "metered"
  | "battery"
  | "mains"
  | "load"
  | "pressure"
  | "free_space"
  | "programs";

/** The steps that each gate guards, in the order in which gates are asked. */
export const GATES: Readonly<Record<GateName, readonly UpdateStep[]>> = {
  free_space: ["download"],
  metered: ["download"],
  mains: ["download", "reboot"],
  battery: ["download", "reboot"],
  load: ["download", "reboot"],
  pressure: ["download", "reboot"],
  inhibitors: ["reboot"],
  programs: ["download", "reboot"],
  // Last, so that people are warned only when nothing else is in the way.
  sessions: ["reboot"],
};

/** The gates that guard a step, and are on. */
export function gatesOf(settings: Settings, step: UpdateStep): readonly GateName[] {
  const names = Object.keys(GATES) as readonly GateName[];
  return names.filter((it) => GATES[it].includes(step) && settings[`gates.${it}`]);
}

export interface PowerSupply {
  readonly type: string;
  readonly isOnline: boolean | undefined;
  readonly percent: number | undefined;
  /** A battery of a mouse or a headset has this scope. */
  readonly isOfDevice: boolean;
}

export function judgeMains(supplies: readonly PowerSupply[]): GateAnswer | undefined {
  return isOnBattery(supplies) ? { reason: "the machine runs on battery" } : undefined;
}

export function judgeBattery(
  supplies: readonly PowerSupply[],
  leastPercent: number,
): GateAnswer | undefined {
  if (!isOnBattery(supplies)) return undefined;
  const percents = batteriesOf(supplies).flatMap((it) => it.percent ?? []);
  const most = Math.max(...percents);
  if (percents.length === 0 || most >= leastPercent) return undefined;
  return { reason: `the battery has ${most} %, less than ${leastPercent} %` };
}

/** A machine without a battery runs on mains, whatever it says about adapters. */
function isOnBattery(supplies: readonly PowerSupply[]): boolean {
  if (batteriesOf(supplies).length === 0) return false;
  return !supplies.some((it) => it.type !== "Battery" && it.isOnline === true);
}

function batteriesOf(supplies: readonly PowerSupply[]): readonly PowerSupply[] {
  return supplies.filter((it) => it.type === "Battery" && !it.isOfDevice);
}

/** `text`: /proc/loadavg. The average over 5 minutes counts. */
export function judgeLoad(
  text: string,
  { processors, most }: { readonly processors: number; readonly most: number },
): GateAnswer | undefined {
  const load = Number(text.split(" ")[1]);
  if (Number.isNaN(load) || load <= most * processors) return undefined;
  return { reason: `the load is ${load} on ${processors} processors` };
}

/** `text`: a file of /proc/pressure. The average over 60 seconds in which some task waited counts. */
export function judgePressure(
  text: string,
  { resource, mostPercent }: { readonly resource: string; readonly mostPercent: number },
): GateAnswer | undefined {
  const percent = Number(/^some .*\bavg60=([\d.]+)/m.exec(text)?.[1] ?? "0");
  if (percent <= mostPercent) return undefined;
  return { reason: `tasks wait for ${resource} during ${percent} % of the time` };
}

export function judgeFreeSpace(freeMib: number, leastMib: number): GateAnswer | undefined {
  if (freeMib >= leastMib) return undefined;
  return { reason: `${Math.floor(freeMib)} MiB are free, less than ${leastMib} MiB` };
}

/** NetworkManager's property: 1 and 3 mean metered, known or guessed. */
export function judgeMetered(value: number): GateAnswer | undefined {
  return value === 1 || value === 3 ? { reason: "the connection is metered" } : undefined;
}

export interface Inhibitor {
  readonly what: string;
  readonly who: string;
  readonly why: string;
  readonly mode: string;
}

/** Only those that forbid a shutdown count; `delay` only asks for a moment. */
export function judgeInhibitors(inhibitors: readonly Inhibitor[]): GateAnswer | undefined {
  const found = inhibitors.find(
    ({ what, mode }) => mode.startsWith("block") && what.split(":").includes("shutdown"),
  );
  if (found === undefined) return undefined;
  return { reason: `\`${found.who}\` forbids a shutdown: ${found.why}` };
}

export interface LoginSession {
  readonly user: string;
  /** Undefined for sessions in which nobody works, such as those of cron. */
  readonly terminal: string | undefined;
}

export interface WarningState {
  readonly nowMs: number;
  readonly graceMs: number;
  /** When people were warned; undefined before. */
  readonly warnedMs: number | undefined;
}

/** People get a warning and a grace period; after that, their sessions are no reason any more. */
export function judgeSessions(
  sessions: readonly LoginSession[],
  { nowMs, graceMs, warnedMs }: WarningState,
): GateAnswer | undefined {
  const users = new Set(sessions.filter((it) => it.terminal !== undefined).map((it) => it.user));
  const untilMs = (warnedMs ?? nowMs) + graceMs;
  if (users.size === 0 || untilMs <= nowMs) return undefined;
  return { reason: `logged in: ${[...users].join(", ")}`, untilMs };
}
