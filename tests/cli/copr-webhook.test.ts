// Checks what docs/copr.md says about COPR's webhook against our copy of the server's decision.
import { expect, test } from "vitest";
import { isMeant, type Push } from "../copr-webhook.ts";

const NAMED = "demo";
const commits = [{ added: ["README"], removed: [], modified: [] }];

test.each<[string, Partial<Push>, boolean]>([
  ["a push to the branch", { ref: "refs/heads/main" }, true],
  ["a push to another branch", { ref: "refs/heads/next" }, false],
  ["a push to fix/main", { ref: "refs/heads/fix/main" }, true],
  ["a push to domain", { ref: "refs/heads/domain" }, true],
  ["a push without commits", { ref: "refs/heads/main", commits: [] }, false],
  ["a push of a tag", { ref: "refs/tags/demo-1.0", commits: [] }, false],
  ["any created tag", { ref: "nightly", ref_type: "tag" }, true],
  [
    "a created branch, which has no commits",
    { ref: "main", ref_type: "branch", commits: [] },
    false,
  ],
])("with a package's name in the address: %s", (_, push, want) => {
  expect(builds(push, {})).toBe(want);
});

test.each<[string, Partial<Push>, boolean]>([
  ["a push to the branch", { ref: "refs/heads/main" }, true],
  ["a created tag of another name", { ref: "nightly", ref_type: "tag" }, false],
  ["a created tag named after the package", { ref: "demo-1.0-1", ref_type: "tag" }, true],
  ["a created tag of a longer name", { ref: "demo-extra-1.0", ref_type: "tag" }, false],
])("without a name in the address: %s", (_, push, want) => {
  expect(builds(push, { addressed: undefined })).toBe(want);
});

test("a committish with heads/ names one branch", () => {
  const source = { committish: "heads/main" };
  expect(builds({ ref: "refs/heads/main" }, { source })).toBe(true);
  expect(builds({ ref: "refs/heads/fix/main" }, { source })).toBe(false);
});

test("a push to the branch builds other packages of the repository as well", () => {
  expect(builds({ ref: "refs/heads/main" }, { addressed: "other" })).toBe(true);
});

function builds(
  push: Partial<Push>,
  it: { readonly addressed?: string | undefined; readonly source?: object },
): boolean {
  const clone_url = "https://example.org/demo";
  return isMeant(
    {
      name: NAMED,
      source: { clone_url: `${clone_url}.git`, committish: "main", ...it.source },
      addressed: "addressed" in it ? it.addressed : NAMED,
    },
    { commits, repository: { clone_url }, ...push },
  );
}
