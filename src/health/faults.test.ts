import { expect, test } from "vitest";
import {
  describeFaults,
  isOnlyVerdictMissing,
  judgeFailed,
  judgeUnit,
  type UnitState,
} from "./faults.ts";

const UP: UnitState = {
  name: "a.service",
  load: "loaded",
  active: "active",
  result: "success",
  type: "simple",
  hasJob: false,
  hasEnded: false,
};

test.each<[string, Partial<UnitState>, string | undefined]>([
  ["runs", {}, undefined],
  ["reloads", { active: "reloading" }, undefined],
  ["has done its work", { active: "inactive", type: "oneshot", hasEnded: true }, undefined],
  ["has not done its work", { active: "inactive", type: "oneshot" }, "`a.service` does not run"],
  ["has failed", { active: "failed", result: "exit-code" }, "`a.service` has failed"],
  ["is missing", { load: "not-found", active: "inactive" }, "`a.service` does not exist"],
  ["is masked", { load: "masked", active: "inactive" }, "`a.service` is masked"],
  ["is starting", { active: "activating" }, "`a.service` did not start in time"],
  ["waits", { active: "inactive", hasJob: true }, "`a.service` did not start in time"],
  ["was stopped", { active: "inactive" }, "`a.service` does not run"],
  [
    "failed to do its work",
    { active: "inactive", type: "oneshot", result: "exit-code" },
    "`a.service` does not run",
  ],
])("a unit that %s", (_, state, want) => {
  expect(judgeUnit({ ...UP, ...state })?.reason).toBe(want);
});

test.each([
  [["*"], ["a.service", "b-1.mount"]],
  [["a.*"], ["a.service"]],
  [["b-*.mount", "c.service"], ["b-1.mount"]],
  [["a"], []],
  [["a.servic?"], []],
  [[], []],
])("of failed units, %j are about %j", (patterns, want) => {
  const found = judgeFailed(["a.service", "b-1.mount"], patterns);
  expect(found.map((it) => it.unit)).toEqual(want);
});

test("the first line says all that is wrong", () => {
  const faults = [{ reason: "a", details: ["x", "y"] }, { reason: "b" }];
  expect(describeFaults(faults)).toEqual(["a, b", "  x", "  y"]);
});

test.each([
  [["bootc-health.service running", "multi-user.target waiting", "x.service waiting"], true],
  [["bootc-health.service running", "x.service running", "multi-user.target waiting"], false],
  [["multi-user.target waiting"], false],
  [[], false],
])("jobs %j: only the verdict is missing: %s", (jobs, want) => {
  const list = jobs.map((it) => it.split(" ")).map(([unit = "", state = ""]) => ({ unit, state }));
  expect(isOnlyVerdictMissing(list)).toBe(want);
});
