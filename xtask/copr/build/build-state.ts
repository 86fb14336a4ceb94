// The states of a build, which come twice: what they mean, taken together with those of its chroots.
import { BootcError } from "../../../src/errors.ts";

/** The names of copr_common's `StatusEnum`, in the order of its numbers. */
const STATES = [
  "failed",
  "succeeded",
  "canceled",
  "running",
  "pending",
  "skipped",
  "starting",
  "importing",
  "forked",
  "waiting",
] as const;

export type BuildState = (typeof STATES)[number];

const FINAL: readonly BuildState[] = ["failed", "succeeded", "canceled", "skipped", "forked"];

export interface Build {
  readonly id: number;
  readonly state: BuildState;
  readonly chroots: readonly string[];
  readonly packageName: string | undefined;
  readonly packageVersion: string | undefined;
  readonly ownername: string;
  readonly projectname: string;
  /** Seconds since the epoch. */
  readonly submittedOn: number | undefined;
  readonly startedOn: number | undefined;
  readonly endedOn: number | undefined;
  readonly submitter: string | undefined;
}

export interface BuildChroot {
  readonly name: string;
  readonly state: BuildState;
  readonly startedOn: number | undefined;
  readonly endedOn: number | undefined;
  /** Where results and logs are; none before the build starts there. */
  readonly resultUrl: string | undefined;
}

/** The build of the source RPM, which every build begins with. */
export interface SourceBuild {
  readonly state: BuildState;
  readonly resultUrl: string | undefined;
}

/** All that is known of a build at one moment. */
export interface Progress {
  readonly build: Build;
  readonly source: SourceBuild | undefined;
  readonly chroots: readonly BuildChroot[];
}

/** A state as the server wrote it. `unknown`, and what this program does not know, are errors. */
export function parseState(value: unknown): BuildState {
  const state = STATES.find((it) => it === value);
  if (state !== undefined) return state;
  throw new BootcError(`the server reports the state \`${String(value)}\`, which means nothing`, {
    kind: "network",
  });
}

export function isFinal(state: BuildState): boolean {
  return FINAL.includes(state);
}

/** `forked` is a copy of a build that succeeded elsewhere; `skipped` had nothing to do. */
export function isSuccess(state: BuildState): boolean {
  return state === "succeeded" || state === "forked" || state === "skipped";
}

/**
 * Until when something has taken time, in seconds since the epoch. The server never gives an end to a build
 * that was canceled or skipped, or whose import failed; then nothing is known rather than that it goes on.
 */
export function lastMoment(
  { state, endedOn }: { readonly state: BuildState; readonly endedOn: number | undefined },
  nowEpoch: number,
): number | undefined {
  return endedOn ?? (isFinal(state) ? undefined : nowEpoch);
}

/**
 * What a chroot shows. When the build is over, one that still waits on the server will do so for ever:
 * the build was canceled, or there is no source RPM to build from.
 */
export function stateOfChroot(build: Build, chroot: BuildChroot): BuildState {
  return isFinal(build.state) && !isFinal(chroot.state) ? "canceled" : chroot.state;
}

/**
 * Whether the source RPM was made and COPR's dist-git did not take it. The server reports a failed source
 * build either way; the version, which the source RPM has told, is what tells the two apart.
 */
export function hasFailedImport({ build, source }: Omit<Progress, "chroots">): boolean {
  return source?.state === "failed" && build.packageVersion !== undefined;
}

/** What is going on, in words: the same `pending` and `running` stand for both halves of a build. */
export function describePhase({ build, source, chroots }: Progress): string {
  if (hasFailedImport({ build, source })) return "failed to be imported";
  if (isFinal(build.state)) return build.state;
  if (build.state === "importing") return "importing the source RPM";
  const isAnyChrootBusy = chroots.some((it) => it.state !== "waiting");
  if (isAnyChrootBusy) return build.state === "pending" ? "waiting for builders" : "building";
  // The build and its parts are asked one after the other: the source RPM may be done by now.
  if (build.state !== "pending") return "building the source RPM";
  const isSourceDone = source !== undefined && isFinal(source.state);
  return isSourceDone ? "waiting for builders" : "waiting for a builder for the source RPM";
}
