// What happens to a new system from the shutdown before its first start until it has proved itself, or the
// previous one runs again. /usr/lib/bootc/health does this without bootc; a test compares it with this table.

export const STATES = ["none", "armed", "trying", "returning", "returned", "stuck"] as const;
export type HealthState = (typeof STATES)[number];

export const HEALTH_EVENTS = [
  "deployed",
  "starts-new",
  "starts-new-too-often",
  "starts-old",
  "starts-other",
  "good",
  "bad",
  "overdue",
] as const;
export type HealthEvent = (typeof HEALTH_EVENTS)[number];

/** What is done; `nothing` also where an event cannot come in that state. */
export type HealthAction =
  | "arm"
  | "watch"
  | "go-back"
  | "bless"
  | "settle"
  | "report"
  | "forget"
  | "nothing";

export interface Transition {
  readonly next: HealthState;
  readonly action: HealthAction;
}

type Row = Readonly<Record<HealthEvent, readonly [HealthState, HealthAction]>>;

/** Wherever an update is, a newer one takes its place. */
const DEPLOYED = ["armed", "arm"] as const;
/** A third system, which neither is new nor was there before. */
const OTHER = ["none", "forget"] as const;
const OLD = ["returned", "settle"] as const;

const TABLE: Readonly<Record<HealthState, Row>> = {
  none: {
    deployed: DEPLOYED,
    "starts-new": ["none", "nothing"],
    "starts-new-too-often": ["none", "nothing"],
    "starts-old": ["none", "nothing"],
    "starts-other": ["none", "nothing"],
    good: ["none", "nothing"],
    bad: ["none", "report"],
    overdue: ["none", "nothing"],
  },
  armed: {
    deployed: DEPLOYED,
    "starts-new": ["trying", "watch"],
    "starts-new-too-often": ["returning", "go-back"],
    "starts-old": OLD,
    "starts-other": OTHER,
    // Its start was not counted.
    good: ["none", "bless"],
    bad: ["returning", "go-back"],
    overdue: ["returning", "go-back"],
  },
  trying: {
    deployed: DEPLOYED,
    "starts-new": ["trying", "watch"],
    "starts-new-too-often": ["returning", "go-back"],
    "starts-old": OLD,
    "starts-other": OTHER,
    good: ["none", "bless"],
    bad: ["returning", "go-back"],
    overdue: ["returning", "go-back"],
  },
  returning: {
    deployed: DEPLOYED,
    "starts-new": ["returning", "go-back"],
    "starts-new-too-often": ["stuck", "nothing"],
    "starts-old": OLD,
    "starts-other": OTHER,
    good: ["returning", "nothing"],
    bad: ["returning", "nothing"],
    overdue: ["returning", "nothing"],
  },
  returned: {
    deployed: DEPLOYED,
    // A person has chosen it in the boot loader's menu, or rolled back to it.
    "starts-new": OTHER,
    "starts-new-too-often": OTHER,
    "starts-old": OLD,
    "starts-other": OTHER,
    good: ["none", "report"],
    bad: ["none", "report"],
    overdue: ["returned", "nothing"],
  },
  stuck: {
    deployed: DEPLOYED,
    "starts-new": ["stuck", "nothing"],
    "starts-new-too-often": ["stuck", "nothing"],
    "starts-old": OLD,
    "starts-other": OTHER,
    good: ["none", "bless"],
    bad: ["stuck", "report"],
    overdue: ["stuck", "nothing"],
  },
};

export function decideHealth(state: HealthState, event: HealthEvent): Transition {
  const [next, action] = TABLE[state][event];
  return { next, action };
}

const ABOUT: Readonly<Record<HealthState, string>> = {
  none: "no system is on trial",
  armed: "a new system is about to start",
  trying: "the new system has started",
  returning: "the reboot into the old system",
  returned: "the old system runs again",
  stuck: "going back has failed",
};

/** A drawing of the table for a page, in Mermaid. Events without an effect are left out. */
export function drawStates(): string {
  const lines = STATES.flatMap((state) => arrowsFrom(state));
  return [
    "stateDiagram-v2",
    "  [*] --> none",
    ...STATES.map((it) => `  ${it}: ${it} (${ABOUT[it]})`),
    ...lines,
  ].join("\n");
}

/** One arrow for all events that do the same. */
function arrowsFrom(state: HealthState): readonly string[] {
  const events = new Map<string, HealthEvent[]>();
  for (const event of HEALTH_EVENTS) {
    const { next, action } = decideHealth(state, event);
    if (next === state && action === "nothing") continue;
    const key = `${next} ${action}`;
    events.set(key, [...(events.get(key) ?? []), event]);
  }
  return [...events].map(([key, names]) => {
    const [next, action] = key.split(" ");
    const what = action === "nothing" ? "" : ` / ${action}`;
    return `  ${state} --> ${next}: ${names.join(", ")}${what}`;
  });
}
