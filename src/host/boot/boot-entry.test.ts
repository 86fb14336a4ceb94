import { expect, test } from "vitest";
import {
  isOstreeEntryName,
  parseBootEntry,
  parseBootTarget,
  sortBootEntries,
} from "./boot-entry.ts";

test("an entry is its version and its options, whatever else it has", () => {
  const text =
    "# comment\ntitle Test 1 (ostree:0)\nversion 2\noptions root=UUID=x  quiet \nlinux /x\n";
  expect(parseBootEntry("ostree-2.conf", text)).toEqual({
    name: "ostree-2.conf",
    version: "2",
    options: "root=UUID=x  quiet",
  });
  expect(parseBootEntry("x", "")).toEqual({ name: "x", version: "", options: "" });
});

test.each([
  ["ostree-1.conf", true],
  ["ostree-1-default.conf", true],
  ["ostree-2+3-1.conf", true],
  ["fedora.conf", false],
  ["ostree-1.conf.bak", false],
])("%s is one of ostree's: %s", (name, want) => expect(isOstreeEntryName(name)).toBe(want));

test.each([
  { versions: ["1", "2"], want: ["2", "1"] },
  { versions: ["2", "10", "1"], want: ["10", "2", "1"] },
  { versions: ["", "1"], want: ["1", ""] },
  { versions: ["1.9", "1.10"], want: ["1.10", "1.9"] },
  { versions: ["1a", "1b"], want: ["1b", "1a"] },
])("$versions: the highest is the default", ({ versions, want }) => {
  const entries = versions.map((version) => ({ name: version, version, options: "" }));
  expect(sortBootEntries(entries).map((it) => it.version)).toEqual(want);
});

test("the deployment an entry boots", () => {
  expect(parseBootTarget("rw ostree=/ostree/boot.1/default/abc/0 quiet")).toEqual({
    bootVersion: "1",
    stateroot: "default",
    bootChecksum: "abc",
    index: "0",
  });
});

test.each([
  "rw quiet",
  "ostree=/ostree/boot.2/default/abc/0",
  "ostree=/ostree/boot.0/../abc/0",
  "ostree=/ostree/boot.0/default/../0",
  "ostree=/ostree/boot.0/default/abc/x",
  "ostree=/sysroot",
])("%s names none", (options) => expect(parseBootTarget(options)).toBeUndefined());
