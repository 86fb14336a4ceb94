import { expect, test } from "vitest";
import { deployment } from "../testing/deployment.ts";
import { keptDeployments } from "./kept-deployments.ts";

const running = deployment("b", { isBooted: true });
const pinned = deployment("p", { isPinned: true });
const elsewhere = deployment("e", { stateroot: "other" });

test.each([
  ["the booted one", running, true],
  ["a pinned one", pinned, true],
  ["one of another stateroot", elsewhere, true],
  ["the staged one", deployment("c", { isStaged: true }), false],
  ["the rollback", deployment("a"), false],
])("whether a new deployment leaves in place: %s", (_, judged, isKept) => {
  const others = judged === running ? [] : [running];
  expect(keptDeployments([judged, ...others]).includes(judged)).toBe(isKept);
});

test.each([
  ["the booted one", running, true],
  ["the rollback of the booted stateroot", deployment("a"), true],
  ["one of the same stateroot", elsewhere, false],
  ["the staged one", deployment("c", { isStaged: true }), false],
])("whether a new deployment in another stateroot leaves in place: %s", (_, judged, isKept) => {
  const others = judged === running ? [] : [running];
  expect(keptDeployments([judged, ...others], "other").includes(judged)).toBe(isKept);
});
