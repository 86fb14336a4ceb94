// Which step of an update comes next on this host, and which rule keeps it from being taken.
import type { Settings } from "./config/settings.ts";
import { decideRollout, parseRollout } from "./rollout.ts";
import { shareOf } from "./share.ts";
import type { Block, Pause, UpdateStep, UpdatesState } from "./state.ts";
import { decideWindow, type WindowState } from "./window.ts";

/** Everything that is known before the machine is asked for sessions, power and the like. */
export interface Situation {
  readonly nowMs: number;
  readonly settings: Settings;
  /** Mistakes in the configuration. */
  readonly mistakes: readonly string[];
  readonly state: UpdatesState;
  readonly host: HostStand;
  readonly machineId: string;
  /** The machine's time zone, for `localtime`. */
  readonly localZone: string;
}

/** The part of the host document that matters. */
export interface HostStand {
  readonly booted: RunningImage | undefined;
  readonly staged: StagedImage | undefined;
  /** Why this host cannot be updated. */
  readonly problem?: string;
}

interface NamedImage {
  readonly digest: string;
  readonly version?: string;
}

interface RunningImage extends NamedImage {
  readonly builtMs?: number;
}

interface StagedImage extends NamedImage {
  /** The next reboot drops it. */
  readonly isLocked: boolean;
}

/** The step that is due after a check; undefined if there is nothing to do. */
export function dueStep({
  state,
  host,
}: Pick<Situation, "state" | "host">): UpdateStep | undefined {
  const { booted, staged } = host;
  const wanted = state.found?.digest;
  if (staged !== undefined && !staged.isLocked) {
    // A newer image replaces what is staged, as long as that has not been booted.
    return wanted === undefined || wanted === staged.digest ? "reboot" : "download";
  }
  if (wanted === undefined || wanted === booted?.digest) return undefined;
  return staged?.digest === wanted ? "finalize" : "download";
}

type Objection = Omit<Block, "step" | "rule">;

interface Rule {
  readonly name: string;
  readonly steps: readonly UpdateStep[];
  /** Why not; undefined if the rule has nothing against the step. */
  readonly judge: (situation: Situation, step: UpdateStep) => Objection | undefined;
}

const ALL: readonly UpdateStep[] = ["check", "download", "finalize", "reboot"];
const CHANGES: readonly UpdateStep[] = ["download", "finalize", "reboot"];

/** In the order in which they are asked. Gates follow, and then the FleetLock server. */
export const RULES: readonly Rule[] = [
  {
    name: "configuration",
    steps: ALL,
    judge: ({ mistakes: [first] }) => (first === undefined ? undefined : { reason: first }),
  },
  {
    name: "enabled",
    steps: ALL,
    judge: ({ settings }) =>
      settings["updates.enabled"] ? undefined : { reason: "`updates.enabled` is false" },
  },
  {
    name: "host",
    steps: ALL,
    judge: ({ host }) => (host.problem === undefined ? undefined : { reason: host.problem }),
  },
  { name: "pause", steps: CHANGES, judge: judgePause },
  { name: "held", steps: CHANGES, judge: judgeHeld },
  { name: "rollout", steps: CHANGES, judge: judgeRollout },
  { name: "steps", steps: ALL, judge: judgePermission },
  { name: "window", steps: ALL, judge: judgeWindow },
];

/** The first rule that has something against the step. */
export function judgeStep(situation: Situation, step: UpdateStep): Block | undefined {
  for (const { name, steps, judge } of RULES) {
    const objection = steps.includes(step) ? judge(situation, step) : undefined;
    if (objection !== undefined) return { step, rule: name, ...objection };
  }
  return undefined;
}

function judgePause(situation: Situation): Objection | undefined {
  const pause = pauseOf(situation);
  if (pause === undefined) return undefined;
  const until = pause.untilMs === undefined ? {} : { untilMs: pause.untilMs };
  return { reason: pause.reason, ...until };
}

/** The pause, unless it is over. */
export function pauseOf({
  state: { pause },
  nowMs,
}: Pick<Situation, "state" | "nowMs">): Pause | undefined {
  return pause?.untilMs !== undefined && pause.untilMs <= nowMs ? undefined : pause;
}

function judgeHeld(situation: Situation, step: UpdateStep): Objection | undefined {
  const digest = subjectOf(situation, step)?.digest;
  const held = situation.state.held.find((it) => it.digest === digest);
  if (held === undefined) return undefined;
  const why = held.reason === undefined ? "" : ` because it went back: ${held.reason}`;
  return { reason: `\`${digest}\` is held${why}; \`bootc updates release\` releases it` };
}

/** The image that a step is about. */
function subjectOf({ state, host }: Situation, step: UpdateStep): NamedImage | undefined {
  return step === "reboot" ? host.staged : state.found;
}

function judgeRollout(situation: Situation, step: UpdateStep): Objection | undefined {
  const { state, settings, machineId, host, nowMs } = situation;
  const digest = subjectOf(situation, step)?.digest;
  // Whatever a person staged by hand has no rollout that is known here.
  if (state.found === undefined || state.found.digest !== digest) return undefined;
  const version = host.booted?.version;
  const wariness = settings["identity.rollout_wariness"];
  const client = { machineId, digest, wariness, version };
  const decision = decideRollout(parseRollout(state.found.annotations), client, nowMs);
  if (decision.isReached) return undefined;
  const { reason, untilMs } = decision;
  return untilMs === undefined ? { reason } : { reason, untilMs };
}

function judgePermission({ settings }: Situation, step: UpdateStep): Objection | undefined {
  return settings[`steps.${step}`] === "never"
    ? { reason: `\`steps.${step}\` is \`never\`` }
    : undefined;
}

function judgeWindow(situation: Situation, step: UpdateStep): Objection | undefined {
  if (situation.settings[`steps.${step}`] !== "window") return undefined;
  const state = windowOf(situation);
  if (state === undefined || state.open !== undefined) return undefined;
  if (state.next === undefined) return { reason: "there is no window" };
  return { reason: "no window is open", untilMs: state.next.startMs };
}

/** The windows; undefined if the strategy has none, so that every time is right. */
export function windowOf({
  settings,
  machineId,
  localZone,
  nowMs,
}: Situation): WindowState | undefined {
  const windows = settings["updates.periodic.window"];
  const strategy = settings["updates.strategy"];
  if (strategy === "immediate" || windows.length === 0) return undefined;
  const zone = settings["updates.periodic.time_zone"];
  const plan = {
    windows,
    timeZone: zone === "localtime" ? localZone : zone,
    jitterMinutes: settings["updates.periodic.jitter_minutes"],
    share: shareOf(machineId, "window"),
  };
  return decideWindow(plan, nowMs);
}
