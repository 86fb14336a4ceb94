import { expect, test } from "vitest";
import {
  type Build,
  type BuildState,
  describePhase,
  hasFailedImport,
  parseState,
  stateOfChroot,
} from "./build-state.ts";

const build = (state: BuildState): Build => ({
  id: 1,
  state,
  chroots: ["a", "b"],
  packageName: undefined,
  packageVersion: undefined,
  ownername: "o",
  projectname: "p",
  submittedOn: 1,
  startedOn: undefined,
  endedOn: undefined,
  submitter: "tester",
});

const chroot = (name: string, state: BuildState) => ({
  name,
  state,
  startedOn: undefined,
  endedOn: undefined,
  resultUrl: undefined,
});

const source = (state: BuildState) => ({ state, resultUrl: undefined });

// The measured sequence of one build: `pending` and `running` come twice.
test.each<[BuildState, BuildState | undefined, BuildState, BuildState, string]>([
  ["pending", undefined, "waiting", "waiting", "waiting for a builder for the source RPM"],
  ["starting", undefined, "waiting", "waiting", "building the source RPM"],
  ["running", "running", "waiting", "waiting", "building the source RPM"],
  // The source RPM was finished between two questions.
  ["running", "succeeded", "waiting", "waiting", "building the source RPM"],
  ["importing", "succeeded", "waiting", "waiting", "importing the source RPM"],
  ["pending", "succeeded", "pending", "pending", "waiting for builders"],
  ["running", "succeeded", "running", "pending", "building"],
  ["running", "succeeded", "failed", "running", "building"],
  ["failed", "succeeded", "failed", "succeeded", "failed"],
])("build %s, source %s, chroots %s and %s: %s", (state, sourceState, a, b, want) => {
  const progress = {
    build: build(state),
    source: sourceState && source(sourceState),
    chroots: [chroot("a", a), chroot("b", b)],
  };
  expect(describePhase(progress)).toBe(want);
});

test.each<[string, BuildState, string | undefined, boolean]>([
  ["there is a source RPM, and its half failed", "failed", "2.0-1", true],
  ["there is not a source RPM", "failed", undefined, false],
  ["a chroot failed", "succeeded", "2.0-1", false],
])("whether an import failed: %s", (_, sourceState, packageVersion, want) => {
  const progress = {
    build: { ...build("failed"), packageVersion },
    source: source(sourceState),
    chroots: [chroot("a", "failed")],
  };
  expect(hasFailedImport(progress)).toBe(want);
  expect(describePhase(progress)).toBe(want ? "failed to be imported" : "failed");
});

test("the chroots of a canceled build, which the server leaves waiting, are canceled", () => {
  expect(stateOfChroot(build("canceled"), chroot("a", "waiting"))).toBe("canceled");
  expect(stateOfChroot(build("canceled"), chroot("a", "succeeded"))).toBe("succeeded");
});

test.each(["unknown", "", undefined, 3])("the state %s is an error", (state) => {
  expect(() => parseState(state)).toThrow("reports the unknown state");
});
