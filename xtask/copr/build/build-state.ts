// What a build's state means: the same states occur in both of its phases, so the chroots' states count too.
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
  /** The folder of results and logs; undefined before the build starts in this chroot. */
  readonly resultUrl: string | undefined;
}

/** The build of the source RPM, with which every build begins. */
export interface SourceBuild {
  readonly state: BuildState;
  readonly resultUrl: string | undefined;
}

/** Everything known about a build at one moment. */
export interface Progress {
  readonly build: Build;
  readonly source: SourceBuild | undefined;
  readonly chroots: readonly BuildChroot[];
}

/** Parses a state that the server sent. Unknown states are errors, and so is `unknown`. */
export function parseState(value: unknown): BuildState {
  const state = STATES.find((it) => it === value);
  if (state !== undefined) return state;
  throw new BootcError(`the server reports the unknown state \`${String(value)}\``, {
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
 * The end of the time that something has taken so far, in seconds since the epoch. For a build that was
 * canceled or skipped, or whose import failed, the server never reports an end; then the end is unknown.
 */
export function lastMoment(
  { state, endedOn }: { readonly state: BuildState; readonly endedOn: number | undefined },
  nowEpoch: number,
): number | undefined {
  return endedOn ?? (isFinal(state) ? undefined : nowEpoch);
}

/**
 * The state to show for a chroot. Once the build is over, a chroot that still waits will wait for ever,
 * because the build was canceled or has no source RPM.
 */
export function stateOfChroot(build: Build, chroot: BuildChroot): BuildState {
  return isFinal(build.state) && !isFinal(chroot.state) ? "canceled" : chroot.state;
}

/**
 * Whether the source RPM was made, but not accepted by COPR's dist-git. The server reports a failed source
 * build in both cases; only here does it know the version, which it reads from the source RPM.
 */
export function hasFailedImport({ build, source }: Omit<Progress, "chroots">): boolean {
  return source?.state === "failed" && build.packageVersion !== undefined;
}

/** Says what is going on; `pending` and `running` alone can mean either phase of a build. */
export function describePhase({ build, source, chroots }: Progress): string {
  if (hasFailedImport({ build, source })) return "failed to be imported";
  if (isFinal(build.state)) return build.state;
  if (build.state === "importing") return "importing the source RPM";
  const isAnyChrootBusy = chroots.some((it) => it.state !== "waiting");
  if (isAnyChrootBusy) return build.state === "pending" ? "waiting for builders" : "building";
  // The server was asked about the build first, so the source RPM may be finished by now.
  if (build.state !== "pending") return "building the source RPM";
  const isSourceDone = source !== undefined && isFinal(source.state);
  return isSourceDone ? "waiting for builders" : "waiting for a builder for the source RPM";
}
