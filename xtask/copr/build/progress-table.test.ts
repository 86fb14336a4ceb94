import { expect, test } from "vitest";
import type { BuildState } from "./build-state.ts";
import { progressLines } from "./progress-table.ts";

const WIDE = { columns: 200, hasColor: false };

function linesOf(state: BuildState, endedOn: number | undefined, nowEpoch: number) {
  const chroot = { name: "a", state, startedOn: 1200, endedOn, resultUrl: undefined };
  const build = {
    id: 7,
    state,
    chroots: ["a"],
    packageName: undefined,
    packageVersion: undefined,
    ownername: "o",
    projectname: "p",
    submittedOn: 1000,
    startedOn: 1200,
    endedOn,
    submitter: "tester",
  };
  return progressLines({ build, source: undefined, chroots: [chroot] }, nowEpoch, WIDE);
}

test.each<BuildState>(["canceled", "skipped", "failed"])(
  "a build that is %s and has no end shows no time that grows",
  (state) => {
    const early = linesOf(state, undefined, 2000);
    expect(early[0]).toBe(`build 7: ${state}, 1 of 1 chroots done`);
    expect(linesOf(state, undefined, 900_000)).toEqual(early);
  },
);

test("a build that runs shows its age, one that has ended what it took", () => {
  expect(linesOf("running", undefined, 1090)[0]).toMatch(/, 1m 30s$/);
  expect(linesOf("succeeded", 1090, 5000)[0]).toMatch(/, 1m 30s$/);
});
