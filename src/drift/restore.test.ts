import { lstatSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openLibc } from "../native/libc.ts";
import { type TreeSpec, writeTree } from "../testing/tree-spec.ts";
import { findChanges } from "./changes.ts";
import { readTreeEntries } from "./entries.ts";
import { copyDirectoryItself, copyEntry } from "./place.ts";
import { ancestorsOf, decideRestore, parseRestorePath } from "./restore.ts";
import { haveSameBytes } from "./same-content.ts";

function newDirectory(): string {
  const dir = mkdtempSync(join(tmpdir(), "restore-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  return dir;
}

async function questionOf(image: string, host: string) {
  const [before, after] = [readTreeEntries(image).entries, readTreeEntries(host).entries];
  const isSameContent = (path: string) => haveSameBytes(join(image, path), join(host, path));
  const changes = await findChanges({ before, after, isSameContent, labelFor: () => undefined });
  return { directory: "/etc", image: before, host: after, changes };
}

/** Restores `path` for real, and returns the steps taken. */
async function restore(imageSpec: TreeSpec, hostSpec: TreeSpec, path: string) {
  const [image, host] = [newDirectory(), newDirectory()];
  writeTree(image, imageSpec);
  writeTree(host, hostSpec);
  const steps = decideRestore(await questionOf(image, host), path);
  const pair = { from: image, to: host, labelFor: () => undefined };
  for (const it of steps) {
    await (it.action === "copy" ? copyEntry(pair, it.path) : copyDirectoryItself(pair, it.path));
  }
  return { host, steps: steps.map((it) => `${it.action} ${it.path}`) };
}

test.each([
  { what: "a changed file", image: { a: "1" }, host: { a: "2" }, path: "a", want: ["copy a"] },
  { what: "a whole path", image: { a: "1" }, host: { a: "2" }, path: "/etc/a", want: ["copy a"] },
  { what: "what is as in the image", image: { a: "1" }, host: { a: "1" }, path: "a", want: [] },
  {
    what: "a mode",
    image: { a: "1" },
    host: { a: { text: "1", mode: 0o600 } },
    path: "a",
    want: ["copy a"],
  },
  {
    what: "a file for a link",
    image: { a: "1" },
    host: { a: { link: "/x" } },
    path: "a",
    want: ["copy a"],
  },
  {
    what: "a link for a file",
    image: { a: { link: "b" } },
    host: { a: "1" },
    path: "a",
    want: ["copy a"],
  },
  {
    what: "a directory for a link",
    image: { "d/x": "1" },
    host: { d: { link: "/usr" } },
    path: "d",
    want: ["copy d"],
  },
  { what: "a removed directory", image: { "d/e/x": "1" }, host: {}, path: "d", want: ["copy d"] },
  {
    what: "a file of a removed directory",
    image: { "d/e/x": "1", "d/e/y": "1" },
    host: {},
    path: "d/e/x",
    want: ["attributes d", "attributes d/e", "copy d/e/x"],
  },
  {
    what: "what changed below a directory, without what was added",
    image: { "d/a": "1", "d/b": "1", "d/c/e": "1", da: "1" },
    host: { "d/a": "2", "d/": { mode: 0o700 }, "d/new": "1", da: "2" },
    path: "d/",
    want: ["attributes d", "copy d/a", "copy d/b", "copy d/c"],
  },
] satisfies readonly {
  what: string;
  image: TreeSpec;
  host: TreeSpec;
  path: string;
  want: readonly string[];
}[])("restoring $what", async ({ image, host, path, want }) => {
  const outcome = await restore(image, host, path);
  expect(outcome.steps).toEqual(want);
});

test("what is restored is complete, and what was added stays", async () => {
  const image = {
    "d/": { mode: 0o711 },
    "d/a": { text: "image", mode: 0o4750, xattrs: { "user.x": "1" } },
    "d/l": { link: "../out" },
    "d/sub/f": "image",
  };
  const { host } = await restore(image, { "d/a": "host", "d/new": "1" }, "d");
  expect(readdirSync(join(host, "d"))).toEqual(["a", "l", "new", "sub"]);
  expect(readFileSync(join(host, "d/a"), "utf8")).toBe("image");
  expect(lstatSync(join(host, "d")).mode & 0o7777).toBe(0o711);
  expect(lstatSync(join(host, "d/a")).mode & 0o7777).toBe(0o4750);
  expect(openLibc()?.getXattr(join(host, "d/a"), "user.x")?.toString()).toBe("1");
  expect(readlinkSync(join(host, "d/l"))).toBe("../out");
  expect(readFileSync(join(host, "d/sub/f"), "utf8")).toBe("image");
});

test("a name may be as long as names can be", async () => {
  const name = "n".repeat(255);
  const { host } = await restore({ [name]: "image" }, { [name]: "host" }, name);
  expect(readFileSync(join(host, name), "utf8")).toBe("image");
});

test("a directory replaces a link without touching where that leads", async () => {
  const outside = newDirectory();
  writeTree(outside, { x: "outside" });
  const { host } = await restore({ "d/x": "image" }, { d: { link: outside } }, "d");
  expect(readFileSync(join(host, "d/x"), "utf8")).toBe("image");
  expect(readFileSync(join(outside, "x"), "utf8")).toBe("outside");
  expect(readdirSync(host)).toEqual(["d"]);
});

test("the label of the policy is the one that is set", async () => {
  if (process.getuid?.() !== 0) return;
  const [image, host] = [newDirectory(), newDirectory()];
  writeTree(image, {
    a: { text: "1", label: "u:r:image_t:s0" },
    b: { text: "1", label: "u:r:image_t:s0" },
  });
  const pair = {
    from: image,
    to: host,
    labelFor: (path: string) => (path === "a" ? "u:r:policy_t:s0" : undefined),
  };
  for (const it of ["a", "b"]) await copyEntry(pair, it);
  const labels = readTreeEntries(host).entries;
  expect(["a", "b"].map((it) => labels.get(it)?.label)).toEqual([
    "u:r:policy_t:s0",
    "u:r:image_t:s0",
  ]);
});

test.each([
  {
    what: "what the image lacks",
    image: {},
    host: { a: "1" },
    path: "a",
    says: "`/etc/a` is not in the image",
  },
  {
    what: "below a link",
    image: { "d/x": "1" },
    host: { d: { link: "/usr" } },
    path: "d/x",
    says: "`/etc/d` is a symbolic link on this host",
  },
  {
    what: "a file where a directory is",
    image: { a: "1" },
    host: { "a/mine": "1" },
    path: "a",
    says: "`/etc/a` is a directory on this host",
  },
] satisfies readonly {
  what: string;
  image: TreeSpec;
  host: TreeSpec;
  path: string;
  says: string;
}[])("$what is refused", async ({ image, host, path, says }) => {
  await expect(restore(image, host, path)).rejects.toThrow(says);
});

test.each(["/", "", ".", "/etc", "/etc/", "/usr/x", "../x", "/etc/../x", "/etcetera"])(
  "`%s` is not a path below /etc",
  (path) => {
    expect(() => parseRestorePath("/etc", path)).toThrow("is not a path below `/etc`");
  },
);

test("the outermost directory comes first", () => {
  expect(ancestorsOf("a/b/c")).toEqual(["a", "a/b"]);
  expect(ancestorsOf("a")).toEqual([]);
});
