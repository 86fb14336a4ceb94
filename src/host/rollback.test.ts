import { expect, test } from "vitest";
import { deployment } from "../testing/deployment.ts";
import { decideRollback } from "./rollback.ts";

const staged = deployment("c", { isStaged: true });
const booted = deployment("b", { isBooted: true });
const older = deployment("a");

test.each([
  { list: [booted, older], kind: "rollback", next: older },
  { list: [staged, booted, older], kind: "rollback", next: older },
  { list: [older, booted], kind: "revert", next: booted },
])("a host with $list.length deployments: $kind", ({ list, kind, next }) => {
  expect(decideRollback(list)).toMatchObject({ kind, next });
});

test.each([
  { list: [booted], error: "No rollback available" },
  { list: [older], error: "No rollback available" },
  { list: [booted, { ...older, stateroot: "other" }], error: "No rollback available" },
  { list: [booted, { ...older, content: undefined }], error: "is not container image based" },
])("no rollback: $error", ({ list, error }) => {
  expect(() => decideRollback(list)).toThrow(error);
});
