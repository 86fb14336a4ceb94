import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { type TreeSpec, writeTree } from "../testing/tree-spec.ts";
import { findChanges } from "./changes.ts";
import { type DriftEntry, readTreeEntries } from "./entries.ts";
import { applyMerge, planMerge } from "./merge.ts";
import { haveSameBytes } from "./same-content.ts";

function layOut(spec: TreeSpec): string {
  const dir = mkdtempSync(join(tmpdir(), "merge-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  writeTree(dir, spec);
  return dir;
}

/** Merges for real, and returns the new tree, or why that is impossible. */
async function merge(pristine: TreeSpec, current: TreeSpec, fresh: TreeSpec) {
  const [before, after, target] = [pristine, current, fresh].map(layOut) as [
    string,
    string,
    string,
  ];
  const changes = await findChanges({
    before: readTreeEntries(before).entries,
    after: readTreeEntries(after).entries,
    isSameContent: (path) => haveSameBytes(join(before, path), join(after, path)),
    labelFor: (_, { label }) => label,
  });
  const { steps, unmergable } = planMerge(changes, readTreeEntries(target).entries);
  if (unmergable.length > 0) return unmergable;
  await applyMerge({ from: after, to: target, labelFor: () => undefined }, steps);
  const { entries } = readTreeEntries(target);
  return [...entries].slice(1).map(([path, entry]) => describe(path, entry));
}

const describe = (path: string, { kind, mode, sizeBytes, target }: DriftEntry) =>
  kind === "link"
    ? `${path} -> ${target}`
    : `${path} ${kind === "file" ? sizeBytes : "/"} ${(mode & 0o7777).toString(8)}`;

test.each([
  {
    what: "what was not touched is the new tree's",
    pristine: { a: "1", b: "1" },
    current: { a: "1", b: "1" },
    fresh: { a: "12", c: "1" },
    want: ["a 2 644", "c 1 644"],
  },
  {
    what: "what was modified or added replaces the new tree's",
    pristine: { a: "1", l: { link: "x" } },
    current: { a: { text: "123", mode: 0o600 }, b: "12", l: { link: "y" } },
    fresh: { a: "12", b: "1", l: { link: "z" } },
    want: ["a 3 600", "b 2 644", "l -> y"],
  },
  {
    what: "what was removed is removed, with all that is new below it",
    pristine: { "d/a": "1", e: "1", f: "1" },
    current: { f: "1" },
    fresh: { "d/a": "1", "d/new": "1", f: "1" },
    want: ["f 1 644"],
  },
  {
    what: "directories are made where the new tree has none",
    pristine: { "d/": { mode: 0o700 }, "d/e/a": "1" },
    current: { "d/": { mode: 0o700 }, "d/e/a": "12", "n/": { mode: 0o711 }, "n/b": "1" },
    fresh: {},
    want: ["d / 700", "d/e / 755", "d/e/a 2 644", "n / 711", "n/b 1 644"],
  },
  {
    what: "a directory's own mode does not touch its content",
    pristine: { "d/a": "1" },
    current: { "d/a": "1", "d/": { mode: 0o700 } },
    fresh: { "d/a": "12", "d/b": "1" },
    want: ["d / 700", "d/a 2 644", "d/b 1 644"],
  },
  {
    what: "a file and a link replace each other",
    pristine: { a: "1", b: { link: "x" } },
    current: { a: { link: "y" }, b: "12" },
    fresh: { a: "123", b: { link: "z" } },
    want: ["a -> y", "b 2 644"],
  },
  {
    what: "nothing is removed behind a link",
    pristine: { "d/a": "1" },
    current: { "d/b/": "" },
    fresh: { d: { link: "/nonexistent" } },
    want: ['"d/b": "d" is a symbolic link in the new tree'],
  },
  {
    what: "a changed file that is a directory in the new tree",
    pristine: { a: "1" },
    current: { a: "12" },
    fresh: { "a/b": "1" },
    want: ['"a": a file here, a directory in the new tree'],
  },
  {
    what: "a changed directory that is a file in the new tree",
    pristine: { "a/b": "1" },
    current: { "a/b": "12", "a/c": "1", "a/": { mode: 0o700 } },
    fresh: { a: "1" },
    want: [
      '"a": a directory here, a file in the new tree',
      '"a/b": "a" is a file in the new tree',
      '"a/c": "a" is a file in the new tree',
    ],
  },
] satisfies readonly {
  what: string;
  pristine: TreeSpec;
  current: TreeSpec;
  fresh: TreeSpec;
  want: readonly string[];
}[])("$what", async ({ pristine, current, fresh, want }) => {
  expect(await merge(pristine, current, fresh)).toEqual(want);
});
