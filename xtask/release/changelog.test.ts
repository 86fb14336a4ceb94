import { join } from "node:path";
import { expect, test } from "vitest";
import { parseChangelog, readChangelogFile } from "./changelog.ts";

const GOOD = `# Changelog

What changed.

## Unreleased

## 2.1.0-rc.1 - 2026-12-24

### Fixed

- One thing,
  on two lines.

## 2.0.0 - 2026-11-23

First release.

### Added

- Everything.
`;

const problemsOf = (text: string): readonly string[] => {
  try {
    parseChangelog(text);
  } catch (error) {
    return (error as Error).message.split("\n");
  }
  return [];
};

test("entries, newest first, with their text", () => {
  expect(parseChangelog(GOOD).map(({ version, date }) => [version, date])).toEqual([
    ["Unreleased", undefined],
    ["2.1.0-rc.1", "2026-12-24"],
    ["2.0.0", "2026-11-23"],
  ]);
  expect(parseChangelog(GOOD)[1]?.body).toBe("### Fixed\n\n- One thing,\n  on two lines.");
});

test("the changelog of this repository", async () => {
  expect((await readChangelogFile(join(import.meta.dirname, "../.."))).length).toBeGreaterThan(0);
});

test.each([
  [
    "another title",
    "# Changelog",
    "# News",
    ["CHANGELOG.md:1: the first line is not `# Changelog`"],
  ],
  [
    "no version",
    "## 2.0.0 - 2026-11-23",
    "## v2 - 2026-11-23",
    ["CHANGELOG.md:14: `v2` is not a version"],
  ],
  ["no date", "2.0.0 - 2026-11-23", "2.0.0", ["CHANGELOG.md:14: `` is not a date"]],
  [
    "a day that is none",
    "2026-11-23",
    "2026-11-31",
    ["CHANGELOG.md:14: `2026-11-31` is not a date"],
  ],
  [
    "a later date below",
    "2026-11-23",
    "2027-11-23",
    ["CHANGELOG.md:14: 2027-11-23 is later than 2026-12-24 above it"],
  ],
  [
    "the same version again",
    "2.1.0-rc.1 - ",
    "2.0.0 - ",
    ["CHANGELOG.md:14: `2.0.0` is not older than `2.0.0` above it"],
  ],
  [
    "a section that is none",
    "### Fixed",
    "### Bugs",
    ["CHANGELOG.md:9: `Bugs` is not one of Added, Changed, Deprecated, Removed, Fixed, Security"],
  ],
  [
    "a section twice",
    "- Everything.",
    "- Everything.\n\n### Added",
    ["CHANGELOG.md:22: a second section `Added`"],
  ],
  [
    "a change outside a section",
    "### Added\n\n",
    "",
    ["CHANGELOG.md:18: a change outside a section"],
  ],
  [
    "a section that is none, right below its version",
    "2026-12-24\n\n### Fixed",
    "2026-12-24\n### Bugs",
    ["CHANGELOG.md:8: `Bugs` is not one of Added, Changed, Deprecated, Removed, Fixed, Security"],
  ],
  [
    "another bullet",
    "- Everything",
    "* Everything",
    ["CHANGELOG.md:20: a change has to start with `- `"],
  ],
])("%s", (_what, from, to, want) => {
  expect(GOOD).toContain(from);
  expect(problemsOf(GOOD.replace(from, to))).toEqual(want);
});

test.each([
  ["2.0.0", "2.0.0-rc.1"],
  ["2.0.0-rc.10", "2.0.0-rc.9"],
  ["2.0.1-rc.1", "2.0.0"],
  ["10.0.0", "9.9.9"],
])("%s comes after %s", (later, earlier) => {
  const listed = (...versions: readonly string[]) =>
    problemsOf(
      `# Changelog\n${versions.map((it) => `\n## ${it} - 2026-11-23\n\nText.\n`).join("")}`,
    );
  expect(listed(later, earlier)).toEqual([]);
  for (const first of [earlier, later])
    expect(listed(first, later)).toEqual([
      `CHANGELOG.md:7: \`${later}\` is not older than \`${first}\` above it`,
    ]);
});
