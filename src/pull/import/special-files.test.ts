import { expect, test } from "vitest";
import type { LayerFilter } from "./placement.ts";
import { createTreeShape, type Kind } from "./shape.ts";
import { createSpecialFiles } from "./special-files.ts";

const OWNER = { uid: 1, gid: 2 };
const FILTER: LayerFilter = { allowsNonUsr: false, retainsVar: true };

function bed(filter = FILTER) {
  const shape = createTreeShape();
  const special = createSpecialFiles(shape, { filter });
  return {
    special,
    add: (path: string, kind: Kind) => shape.add(path, kind),
    whiteouts: () => special.whiteouts().map((it) => it.path),
  };
}

test("each leaves a whiteout of its owner, and is counted", () => {
  const { special } = bed();
  special.drop("usr/fifo", OWNER);
  special.drop("etc/socket", OWNER);
  expect(special.has("usr/fifo")).toBe(true);
  expect(special.has("usr/fif")).toBe(false);
  expect(special.count()).toBe(2);
  const nothing = { type: "file", mode: 0, sizeBytes: 0, xattrs: [], linkTarget: "" };
  expect(special.whiteouts()).toMatchObject([
    { ...nothing, ...OWNER, path: "usr/.wh.fifo" },
    { ...nothing, ...OWNER, path: "usr/etc/.wh.socket" },
  ]);
});

test("what something else took the place of needs no whiteout, yet was left out", () => {
  const { special, whiteouts } = bed();
  special.drop("usr/x", OWNER);
  special.replace("usr/x");
  expect(special.has("usr/x")).toBe(false);
  expect(whiteouts()).toEqual([]);
  expect(special.count()).toBe(1);
});

test("a whiteout goes only where the layer has neither it nor a file above it", () => {
  const { special, add, whiteouts } = bed();
  for (const it of ["usr/a", "usr/b", "usr/c/d", "usr/e"]) special.drop(it, OWNER);
  add("usr/.wh.b", "file");
  add("usr/c", "symlink");
  add("usr/e", "file");
  expect(whiteouts()).toEqual(["usr/.wh.a"]);
});

test("what has no place in a commit leaves nothing", () => {
  const { special, whiteouts } = bed();
  special.drop("dev/null", OWNER);
  special.drop("opt/x", OWNER);
  expect(whiteouts()).toEqual([]);
  expect(special.count()).toBe(2);
});

test("toplevel devices leave whiteouts where the base has room for them", () => {
  const { special, whiteouts } = bed({ ...FILTER, allowsNonUsr: true });
  special.drop("null", OWNER);
  expect(whiteouts()).toEqual([".wh.null"]);
});

test("a device named like a whiteout is one", () => {
  const { special, whiteouts } = bed();
  special.drop("usr/.wh.x", OWNER);
  expect(whiteouts()).toEqual(["usr/.wh.x"]);
});

test.each([
  ["", "a root that is not a directory"],
  ["usr/x", "`usr/x` as a special file and as another entry"],
])("refused: a special file %j where there is something else", (path, message) => {
  const { special, add } = bed();
  add("usr/x", "file");
  expect(() => special.drop(path, OWNER)).toThrow(
    expect.objectContaining({ kind: "integrity", message: expect.stringContaining(message) }),
  );
});
