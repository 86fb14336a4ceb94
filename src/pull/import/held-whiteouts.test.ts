import { expect, test } from "vitest";
import { type LayerEntry, NO_CONTENT } from "../store/sink.ts";
import { createHeldWhiteouts, isWhiteout } from "./held-whiteouts.ts";
import { createTreeShape } from "./shape.ts";

const at = (path: string): LayerEntry => ({
  ...{ type: "file", path, uid: 0, gid: 0, mode: 0o644, xattrs: [] },
  ...{ sizeBytes: 0, linkTarget: "", content: NO_CONTENT },
});
const pathsOf = (entries: readonly LayerEntry[]) => entries.map((it) => it.path);

function hold(...paths: readonly string[]) {
  const shape = createTreeShape();
  const held = createHeldWhiteouts(shape);
  for (const it of paths) held.hold(at(it));
  const release = (path: string, type: LayerEntry["type"]) => pathsOf(held.release(path, type));
  return { shape, release, rest: () => pathsOf(held.rest()) };
}

const file = { type: "file", sizeBytes: 0 } as const;
const tarEntry = (more: { type?: "file" | "symlink"; sizeBytes?: number } = {}) => ({
  ...{ path: "", linkPath: "", mode: 0, uid: 0, gid: 0, mtimeEpoch: 0, records: new Map() },
  ...file,
  ...more,
});

test.each([
  ["a/.wh.x", tarEntry(), true],
  ["a/.wh..wh..opq", tarEntry(), true],
  [".wh.x", tarEntry(), true],
  ["a/.wh.x", tarEntry({ sizeBytes: 1 }), false],
  ["a/.wh.x", tarEntry({ type: "symlink" }), false],
  ["a/wh.x", tarEntry(), false],
  [".wh.a/x", tarEntry(), false],
  ["a/x.wh.", tarEntry(), false],
])("whether %s, as %j, is a whiteout: %s", (path, entry, expected) => {
  expect(isWhiteout(entry, path)).toBe(expected);
});

test("whiteouts in an unknown directory come at the end, and are noted then", () => {
  const { shape, rest } = hold("a/.wh.x", "b/.wh.y");
  expect(shape.has("a/.wh.x")).toBe(false);
  expect(rest()).toEqual(["a/.wh.x", "b/.wh.y"]);
  expect(shape.has("a/.wh.x")).toBe(true);
  expect(rest()).toEqual([]);
});

test("a directory releases what is below it, at any depth, and nothing else", () => {
  const { release, rest } = hold("a/.wh.x", "a/b/.wh.y", "ab/.wh.z");
  expect(release("a", "directory")).toEqual(["a/.wh.x", "a/b/.wh.y"]);
  expect(rest()).toEqual(["ab/.wh.z"]);
});

test.each(["file", "symlink", "hardlink"] as const)(
  "a %s in place of the directory makes what is below it needless",
  (type) => {
    const { shape, release, rest } = hold("a/.wh.x", "a/b/.wh.y", "c/.wh.z");
    expect(release("a", type)).toEqual([]);
    expect(rest()).toEqual(["c/.wh.z"]);
    expect(shape.has("a")).toBe(false);
  },
);

test("an entry beside a whiteout releases it, as the directory is known by then", () => {
  const { release, rest } = hold("a/.wh.x", "a/b/.wh.y");
  expect(release("a/z", "file")).toEqual(["a/.wh.x"]);
  expect(release("a/b/c/d", "symlink")).toEqual(["a/b/.wh.y"]);
  expect(rest()).toEqual([]);
});

test("an entry elsewhere releases nothing", () => {
  const { release, rest } = hold("a/.wh.x");
  expect(release("b/c", "file")).toEqual([]);
  expect(release("", "directory")).toEqual([]);
  expect(rest()).toEqual(["a/.wh.x"]);
});

test("what came out once does not come again", () => {
  const { release, rest } = hold("a/.wh.x");
  expect(release("a/y", "file")).toEqual(["a/.wh.x"]);
  expect(release("a", "directory")).toEqual([]);
  expect(rest()).toEqual([]);
});

test("of two whiteouts of one name the later one counts", () => {
  const shape = createTreeShape();
  const held = createHeldWhiteouts(shape);
  held.hold({ ...at("a/.wh.x"), uid: 1 });
  held.hold({ ...at("a/.wh.x"), uid: 2 });
  expect(held.rest()).toMatchObject([{ path: "a/.wh.x", uid: 2 }]);
});
