import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { type TreeSpec, writeTree } from "../testing/tree-spec.ts";
import { comparePaths, findChanges } from "./changes.ts";
import { readTreeEntries } from "./entries.ts";
import { documentChanges, formatChanges } from "./format.ts";
import { haveSameBytes } from "./same-content.ts";

function layOut(spec: TreeSpec): string {
  const dir = mkdtempSync(join(tmpdir(), "drift-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  writeTree(dir, spec);
  return dir;
}

async function changesBetween(
  before: TreeSpec,
  after: TreeSpec,
  labels: Readonly<Record<string, string>> = {},
) {
  const [one, other] = [layOut(before), layOut(after)];
  return await findChanges({
    before: readTreeEntries(one).entries,
    after: readTreeEntries(other).entries,
    isSameContent: (path) => haveSameBytes(join(one, path), join(other, path)),
    labelFor: (path) => labels[path],
  });
}

test.each([
  { what: "nothing", before: { a: "1" }, after: { a: "1" }, want: [] },
  {
    what: "another content of one size",
    before: { a: "1" },
    after: { a: "2" },
    want: ['Modified "a" (content)'],
  },
  {
    what: "another size",
    before: { a: "1" },
    after: { a: "12" },
    want: ['Modified "a" (content)'],
  },
  {
    what: "a mode",
    before: { a: "1" },
    after: { a: { text: "1", mode: 0o4600 } },
    want: ['Modified "a" (mode 0644 -> 4600)'],
  },
  {
    what: "a directory's mode",
    before: { "d/": "" },
    after: { "d/": { mode: 0o700 } },
    want: ['Modified "d" (mode 0755 -> 0700)'],
  },
  {
    what: "where a link points",
    before: { l: { link: "a" } },
    after: { l: { link: "/b\u001b[31m" } },
    want: ['Modified "l" (target a -> /b\\u001b[31m)'],
  },
  {
    what: "a link in place of a directory",
    before: { "d/x": "1", "d/y": "2" },
    after: { d: { link: "/usr" } },
    want: ['Modified "d" (type directory -> symbolic link)'],
  },
  {
    what: "a directory in place of a file",
    before: { d: "1" },
    after: { "d/x": "1" },
    want: ['Added "d/x"', 'Modified "d" (type file -> directory)'],
  },
  {
    what: "whole directories",
    before: { "old/a": "1", "old/b/c": "2" },
    after: { "new/a": "1", "new/b/c": "2" },
    want: ['Added "new"', 'Added "new/a"', 'Added "new/b"', 'Added "new/b/c"', 'Removed "old"'],
  },
  {
    what: "kinds one after the other",
    before: { b: "1", c: "1" },
    after: { a: "1", b: "2", d: "1" },
    want: ['Added "a"', 'Added "d"', 'Modified "b" (content)', 'Removed "c"'],
  },
] satisfies readonly {
  what: string;
  before: TreeSpec;
  after: TreeSpec;
  want: readonly string[];
}[])("$what", async ({ before, after, want }) => {
  expect(formatChanges(await changesBetween(before, after))).toEqual(want);
});

test.skipIf(process.getuid?.() !== 0)("owners are compared, also those of links", async () => {
  const before = { a: "1", l: { link: "a" } };
  const after = { a: { text: "1", uid: 7 }, l: { link: "a", gid: 8 } };
  expect(formatChanges(await changesBetween(before, after))).toEqual([
    'Modified "a" (owner 0:0 -> 7:0)',
    'Modified "l" (owner 0:0 -> 0:8)',
  ]);
});

test.skipIf(process.getuid?.() !== 0)("of a label, only the type counts", async () => {
  const label = (type: string, user = "system_u") => `${user}:object_r:${type}:s0`;
  const labels = { a: label("etc_t"), b: label("etc_t"), c: label("etc_t") };
  const after = {
    a: { text: "1", label: label("etc_t", "unconfined_u") },
    b: { text: "1", label: label("tmp_t") },
    c: "1",
  };
  expect(formatChanges(await changesBetween({ a: "1", b: "1", c: "1" }, after, labels))).toEqual([
    'Modified "b" (label system_u:object_r:etc_t:s0 -> system_u:object_r:tmp_t:s0)',
    'Modified "c" (label system_u:object_r:etc_t:s0 -> none)',
  ]);
});

test("other attributes are compared by name and value", async () => {
  const [one, two] = [{ "user.x": "1" }, { "user.x": "2" }];
  const before = { a: { text: "", xattrs: one }, b: { text: "", xattrs: one }, c: "" };
  const after = {
    a: { text: "", xattrs: one },
    b: { text: "", xattrs: two },
    c: { text: "", xattrs: one },
  };
  expect(formatChanges(await changesBetween(before, after))).toEqual([
    'Modified "b" (attributes)',
    'Modified "c" (attributes)',
  ]);
});

test("the document has what the lines have", async () => {
  const changes = await changesBetween(
    { a: "1", c: "1" },
    { a: { text: "2", mode: 0o600 }, l: { link: "a" } },
  );
  const { uid, gid } = { uid: process.getuid?.(), gid: process.getgid?.() };
  expect(documentChanges("/etc", changes)).toEqual({
    directory: "/etc",
    changes: [
      {
        path: "a",
        change: "modified",
        type: "file",
        differences: [{ what: "content" }, { what: "mode", before: "0644", after: "0600" }],
      },
      { path: "c", change: "removed", type: "file", mode: "0644", owner: `${uid}:${gid}` },
      {
        path: "l",
        change: "added",
        type: "symbolic link",
        mode: "0777",
        owner: `${uid}:${gid}`,
        target: "a",
      },
    ],
  });
});

test("a directory comes before its content, and that before the next name", () => {
  expect(["a-b", "a/b", "a", "a/b/c", "a.b"].sort(comparePaths)).toEqual([
    "a",
    "a/b",
    "a/b/c",
    "a-b",
    "a.b",
  ]);
});
