import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createContext } from "../../src/system/run.ts";
import { type Facts, findDisagreements, readFacts, requireAgreement } from "./preconditions.ts";

const commit = "a".repeat(40);
const agreed: Facts = {
  tag: "v2.0.0",
  packageVersion: "2.0.0",
  newestEntry: { version: "2.0.0", date: "2026-11-23", body: "- All", line: 3, bodyLine: 5 },
  headCommit: commit,
  tagCommit: commit,
  manifest: { version: "2.0.0", builtVersion: "2.0.0", commit },
};

test("what agrees is published with the notes of the changelog", () => {
  expect(requireAgreement(agreed)).toEqual({
    tag: "v2.0.0",
    version: "2.0.0",
    commit,
    notes: "- All",
  });
});

test.each<[Partial<Facts>, readonly string[]]>([
  [{ tag: undefined, tagCommit: undefined }, ["no tag points at this commit"]],
  [{ tag: "v2.0.1" }, ["the tag is `v2.0.1`, but package.json says `2.0.0`"]],
  [{ tag: "2.0.0" }, ["the tag is `2.0.0`, but package.json says `2.0.0`"]],
  [
    { newestEntry: { version: "Unreleased", date: undefined, body: "", line: 3, bodyLine: 5 } },
    ["the top of CHANGELOG.md is `Unreleased`, but package.json says `2.0.0`"],
  ],
  [{ tagCommit: "b".repeat(40) }, ["the tag `v2.0.0` is not at the commit that is checked out"]],
  [{ tagCommit: undefined }, ["the tag `v2.0.0` is not at the commit that is checked out"]],
  [
    { manifest: { version: "1.9.0", builtVersion: "1.9.0", commit: "b".repeat(40) } },
    [
      "what was built is `1.9.0`, not `2.0.0`",
      "what was built is not from the commit that is checked out",
    ],
  ],
  [
    { manifest: { version: "2.0.0", builtVersion: "2.0.0~0.20261123140201.gaaaaaaaaaa", commit } },
    [
      "what was built calls itself `2.0.0~0.20261123140201.gaaaaaaaaaa`, not `2.0.0`: it was built without the tag",
    ],
  ],
])("%j is refused", (change, want) => {
  expect(findDisagreements({ ...agreed, ...change })).toEqual(want);
  expect(() => requireAgreement({ ...agreed, ...change })).toThrow("this cannot be published: ");
});

test("git is asked about this checkout, whatever repository a hook of git works on", async () => {
  const top = mkdtempSync(join(tmpdir(), "preconditions-"));
  onTestFinished(() => rmSync(top, { recursive: true }));
  const git = (...args: readonly string[]) =>
    execFileSync("git", ["-c", "user.name=t", "-c", "user.email=t@example.org", ...args], {
      cwd: top,
      encoding: "utf8",
    }).trim();
  writeFileSync(join(top, "package.json"), '{ "version": "2.0.0" }\n');
  writeFileSync(
    join(top, "CHANGELOG.md"),
    "# Changelog\n\n## 2.0.0 - 2026-11-23\n\n### Added\n\n- All\n",
  );
  git("init", "--quiet");
  git("add", ".");
  git("commit", "--quiet", "--message=first");
  git("tag", "v2.0.0");
  const env = { ...process.env, GIT_DIR: join(top, "elsewhere"), GITHUB_REF_TYPE: undefined };
  const tree = { ctx: createContext({ env }), top, mayInstall: false };
  const manifest = { formatVersion: 1 as const, ...agreed.manifest, files: [] };
  const head = git("rev-parse", "HEAD");
  expect(await readFacts(tree, { tag: undefined, manifest })).toMatchObject({
    tag: "v2.0.0",
    headCommit: head,
    tagCommit: head,
  });
});
