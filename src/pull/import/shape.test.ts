import { expect, test } from "vitest";
import { createTreeShape, parentOf } from "./shape.ts";

/** The shape of a layer with these entries: `a` is a file, `a/` a directory, `a@` a symbolic link, `a=b` a hard link. */
function shapeOf(...entries: readonly string[]) {
  const shape = createTreeShape();
  for (const it of entries) {
    const [path = "", target] = it.split("=", 2);
    if (target !== undefined) shape.add(path, "hardlink", target);
    else if (it.endsWith("/")) shape.add(it.slice(0, -1), "directory");
    else if (it.endsWith("@")) shape.add(it.slice(0, -1), "symlink");
    else shape.add(it, "file");
  }
  return shape;
}

test.each([
  ["usr/lib/x", "usr/lib"],
  ["usr", ""],
  ["", ""],
])("the directory of %j is %j", (path, parent) => {
  expect(parentOf(path)).toBe(parent);
});

test("what is above an entry is there with it", () => {
  const shape = shapeOf("usr/lib/x");
  expect(["", "usr", "usr/lib", "usr/lib/x"].map(shape.has)).toEqual([true, true, true, true]);
  expect(["usr/li", "usr/lib/xy", "lib"].map(shape.has)).toEqual([false, false, false]);
});

test.each<[what: string, entries: readonly string[]]>([
  ["a directory twice", ["a/", "a/"]],
  ["a file twice", ["a", "a"]],
  ["a file in place of a link", ["a@", "a"]],
  ["an entry for a directory that an entry below it implied", ["a/b", "a/"]],
])("accepted: %s", (_, entries) => {
  expect(() => shapeOf(...entries)).not.toThrow();
});

test.each<[entries: readonly string[], message: string]>([
  [["a", "a/b"], "`a/b` below `a`, a file"],
  [["a@", "a/b/c/"], "`a/b/c` below `a`, a symbolic link"],
  [["b", "a=b", "a/b"], "`a/b` below `a`, a file"],
  [["a/", "a"], "`a` as directory and as file"],
  [["a@", "a/"], "`a` as symbolic link and as directory"],
  [["a/b", "a@"], "`a` as directory and as symbolic link"],
  [["a", "b", "a/c"], "`a/c` below `a`, a file"],
  // The directory of the entry before it is not looked at again, another one is.
  [["d/x", "d/y", "d/x/z"], "`d/x/z` below `d/x`, a file"],
])("refused: %j", (entries, message) => {
  expect(() => shapeOf(...entries)).toThrow(
    expect.objectContaining({ kind: "integrity", message: expect.stringContaining(message) }),
  );
});

test("there is room below directories and below nothing, not below a file", () => {
  const shape = shapeOf("a", "d/link@", "e/");
  const paths = ["x", "x/y/z", "e/x", "d/x/y", "a/x", "a/x/y", "d/link/x"];
  expect(paths.filter((it) => shape.hasRoomFor(it))).toEqual(["x", "x/y/z", "e/x", "d/x/y"]);
});

test("a link to a link ends where that one ends", () => {
  const shape = shapeOf("a", "b=a", "c=b");
  expect(["a", "b", "c", "elsewhere"].map(shape.linkEnd)).toEqual(["a", "a", "a", "elsewhere"]);
});

test("what took the place of a link leads nowhere", () => {
  const shape = shapeOf("a", "b=a", "b");
  expect(shape.linkEnd("b")).toBe("b");
});

test("links that lead back to themselves have an end to the search for it", () => {
  const shape = shapeOf("a=b", "b=a");
  expect(["a", "b"]).toContain(shape.linkEnd("a"));
});

test.each<[entries: readonly string[], message: string]>([
  [["a=b"], "`a` to `b`, which is not in the layer"],
  [["a=d", "d/x"], "`a` to `d`, which is a directory"],
  [["a=b", "b=c"], "`a` to `c`, which is not in the layer"],
  [["a=a"], "`a`, which leads back to itself"],
  [["a=b", "b=a"], "`a`, which leads back to itself"],
])("links that end nowhere are refused when all is known: %j", (entries, message) => {
  const shape = shapeOf(...entries);
  expect(() => shape.requireLinkTargets()).toThrow(
    expect.objectContaining({ kind: "integrity", message: expect.stringContaining(message) }),
  );
});

test.each<[what: string, entries: readonly string[]]>([
  ["a file", ["a=b", "b"]],
  ["a symbolic link", ["a=b", "b@"]],
  ["links on the way", ["a=b", "b=c", "c"]],
  ["nothing, replaced since", ["a=b", "a"]],
])("a hard link to %s that came later is accepted", (_, entries) => {
  expect(() => shapeOf(...entries).requireLinkTargets()).not.toThrow();
});
