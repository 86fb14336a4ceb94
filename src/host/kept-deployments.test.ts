import { expect, test } from "vitest";
import { deployment } from "../testing/deployment.ts";
import { keptDeployments } from "./kept-deployments.ts";

const booted = deployment("b", { isBooted: true });
const pinned = deployment("p", { isPinned: true });
const elsewhere = deployment("e", { stateroot: "other" });

test.each([
  ["the booted one", booted, true],
  ["a pinned one", pinned, true],
  ["one of another stateroot", elsewhere, true],
  ["the staged one", deployment("c", { isStaged: true }), false],
  ["the rollback", deployment("a"), false],
])("a new deployment and %s", (_, it, isKept) => {
  const others = it === booted ? [] : [booted];
  expect(keptDeployments([it, ...others]).includes(it)).toBe(isKept);
});
