// The trial of a new system, as /usr/lib/bootc/health writes it, and what follows from its end.
import type { HealthRecord, UpdatesState } from "../updates/state.ts";
import { withEvent } from "../updates/state.ts";
import { type HealthState, STATES } from "./states.ts";

export interface Trial {
  readonly state: HealthState;
  /** The deployments, as paths below the physical root; empty in no trial. */
  readonly newDeployment: string;
  readonly oldDeployment: string;
  /** How often the new system was started. */
  readonly starts: number;
  /** Who else returns to the old system: the boot loader, if it can be told. */
  readonly loader: string;
}

export const NO_TRIAL: Trial = {
  state: "none",
  newDeployment: "",
  oldDeployment: "",
  starts: 0,
  loader: "none",
};

/** The file has one `name=value` a line. What cannot be understood counts as no trial. */
export function parseTrial(text: string): Trial {
  const values = new Map(
    text.split("\n").flatMap((line): [string, string][] => {
      const [name, ...rest] = line.split("=");
      return name === undefined || rest.length === 0 ? [] : [[name, rest.join("=")]];
    }),
  );
  const state = STATES.find((it) => it === values.get("state"));
  if (state === undefined) return NO_TRIAL;
  const starts = Number(values.get("starts") ?? 0);
  return {
    state,
    newDeployment: values.get("new") ?? "",
    oldDeployment: values.get("old") ?? "",
    starts: Number.isSafeInteger(starts) ? starts : 0,
    loader: values.get("loader") ?? "none",
  };
}

export type HealthVerdict = "good" | "bad";

export interface TrialEnd {
  readonly nowMs: number;
  readonly state: HealthState;
  /** On the system that runs now. */
  readonly verdict: HealthVerdict;
  /** The system that runs was on trial. */
  readonly isProved: boolean;
  /** The image that was on trial; of a system without a trial, the one that runs. */
  readonly image: { readonly digest: string; readonly version: string | null } | undefined;
  /** Why the trial failed: first what was wrong, then lines about it. */
  readonly trialReason: string;
  /** The same of the system that runs now. */
  readonly ownReason: string;
}

/** What automatic updates remember of the end of a trial. An image that did not prove itself is held. */
export function withTrialEnd(state: UpdatesState, end: TrialEnd): UpdatesState {
  const record = recordOf(end);
  if (record === undefined) return forgetHealth(state, end);
  const { digest, reason, outcome, atMs } = record;
  const wentBack = outcome === "went-back" || outcome === "both-bad";
  const isHeld = digest === undefined || state.held.some((it) => it.digest === digest);
  const held =
    wentBack && !isHeld ? [...state.held, { digest, sinceMs: atMs, reason }] : state.held;
  const text = [record.version, digest, reason].filter(Boolean).join(" ");
  return withEvent({ ...state, held, health: record }, { atMs, event: outcome, text });
}

/** Why an update was undone matters until a newer one proves itself, or a person releases the image. */
function forgetHealth(state: UpdatesState, { isProved, nowMs }: TrialEnd): UpdatesState {
  const { health, held } = state;
  if (health === undefined) return state;
  const wasUndone = health.outcome === "went-back" || health.outcome === "both-bad";
  if (wasUndone && !isProved && held.some((it) => it.digest === health.digest)) return state;
  return withEvent({ ...state, health: undefined }, { atMs: nowMs, event: "healthy", text: "" });
}

function recordOf(end: TrialEnd): HealthRecord | undefined {
  const { state, verdict, trialReason, ownReason } = end;
  switch (state) {
    case "returned":
      return verdict === "good"
        ? makeRecord(end, "went-back", trialReason)
        : makeRecord(end, "both-bad", `${trialReason}\nthe previous system:\n${ownReason}`);
    case "stuck":
      return verdict === "good" ? undefined : makeRecord(end, "stuck", trialReason);
    case "none":
      return verdict === "good" ? undefined : makeRecord(end, "unhealthy", ownReason);
    case "armed":
    case "trying":
    case "returning":
      return undefined;
  }
}

const DETAIL_LINES = 40;

function makeRecord(
  { nowMs, image }: TrialEnd,
  outcome: HealthRecord["outcome"],
  text: string,
): HealthRecord {
  const [reason = "", ...details] = text.split("\n").filter((it) => it.trim() !== "");
  return {
    atMs: nowMs,
    outcome,
    ...(image === undefined ? {} : { digest: image.digest }),
    ...(image === undefined || image.version === null ? {} : { version: image.version }),
    reason: reason === "" ? "no reason is known" : reason,
    details: details.slice(0, DETAIL_LINES),
  };
}
