import { describe, expect, test } from "vitest";
import { deployment } from "../testing/deployment.ts";
import { decideDeletion } from "./delete-deployment.ts";

const staged = deployment("c", { isStaged: true });
const booted = deployment("b", { isBooted: true });
const older = deployment("a");
const pinned = deployment("d", { isPinned: true });
const content = {
  digest: "sha256:feed01",
  version: null,
  timestamp: null,
  architecture: "",
  layers: [],
};
const foreign = deployment("e", { stateroot: "other", content });
const twin = deployment("d", { serial: 1 });
const all = [staged, booted, older, pinned, foreign];

test.each([
  { name: "staged", want: staged, role: "staged" },
  { name: "rollback", want: older, role: "rollback" },
  { name: "aaaa", want: older, role: "rollback" },
  { name: `${"a".repeat(64)}.0`, want: older, role: "rollback" },
  { name: "d".repeat(64), want: pinned, role: "pinned" },
  { name: "eeeee", want: foreign, role: "other" },
  { name: "sha256:feed", want: foreign, role: "other" },
])("$name is the $role deployment", ({ name, want, role }) => {
  expect(decideDeletion(all, name)).toEqual({ deployment: want, role });
});

test("the serial tells deployments of one commit apart", () => {
  const list = [booted, pinned, twin];
  expect(decideDeletion(list, `${"d".repeat(64)}.1`).deployment).toBe(twin);
  expect(() => decideDeletion(list, "dddd")).toThrow("`dddd` names several deployments");
});

describe("refused", () => {
  test.each([
    { list: all, name: "bbbb", says: "Cannot delete currently booted deployment" },
    { list: all, name: "booted", says: "Cannot delete currently booted deployment" },
    { list: all, name: "ffff", says: "Deployment ffff not found" },
    { list: all, name: "aaa", says: "Deployment aaa not found" },
    { list: all, name: "", says: "Deployment  not found" },
    { list: all, name: "sha256:", says: "Deployment sha256: not found" },
    { list: [booted], name: "staged", says: "Deployment staged not found" },
    { list: [booted], name: "rollback", says: "Deployment rollback not found" },
  ])("`$name`: $says", ({ list, name, says }) => {
    expect(() => decideDeletion(list, name)).toThrow(says);
  });

  test("the hint lists what can be deleted", () => {
    const hintOf = (list: typeof all) => {
      try {
        decideDeletion(list, "none");
      } catch (error) {
        return (error as { hint?: string }).hint;
      }
      return undefined;
    };
    expect(hintOf([booted])).toBe("this host has only the booted deployment");
    const names = ["c", "a", "d", "e"].map((it) => `${it.repeat(64)}.0`);
    expect(hintOf(all)).toBe(
      `this host has: staged ${names[0]}, rollback ${names[1]}, pinned ${names[2]}, stateroot other ${names[3]}`,
    );
  });
});
