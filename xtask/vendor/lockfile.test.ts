import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { decideFilter, parseExclusion, parseVendorConfig } from "./config.ts";
import {
  type Lockfile,
  parseLockfile,
  parsePackageManifest,
  readProject,
  registryName,
  resolvePlace,
} from "./lockfile.ts";

test.each([
  { text: "{", want: "package-lock.json is not valid JSON" },
  { text: "[]", want: "package-lock.json does not contain an object" },
  { text: '{"lockfileVersion":1}', want: "package-lock.json has version 1 instead of 2 or 3" },
  { text: '{"lockfileVersion":4,"packages":{"":{}}}', want: "has version 4 instead of 2 or 3" },
  { text: '{"lockfileVersion":2}', want: "package-lock.json names no packages" },
  { text: '{"lockfileVersion":3}', want: "package-lock.json names no packages" },
])("$want", ({ text, want }) => {
  expect(() => parseLockfile(text)).toThrow(want);
});

test("a lockfile of version 2 is one of version 3 that repeats itself", () => {
  const packages = { "": { name: "x" }, "node_modules/a": { version: "1.0.0" } };
  const both = { name: "x", packages, dependencies: { a: { version: "1.0.0" } } };
  expect(parseLockfile(JSON.stringify({ ...both, lockfileVersion: 2 }))).toEqual({
    name: "x",
    lockfileVersion: 3,
    packages,
  });
});

test("a byte-order mark is read over", async () => {
  const folder = mkdtempSync(join(tmpdir(), "project-"));
  writeFileSync(join(folder, "package.json"), '\uFEFF{"name":"x"}');
  const lock = { lockfileVersion: 3, packages: { "": { name: "x" } } };
  writeFileSync(join(folder, "package-lock.json"), `\uFEFF${JSON.stringify(lock)}`);
  expect(await readProject(folder)).toEqual({ folder, manifest: { name: "x" }, lock });
});

test("npm-shrinkwrap.json goes before package-lock.json, and errors name it", async () => {
  const folder = mkdtempSync(join(tmpdir(), "project-"));
  writeFileSync(join(folder, "package.json"), "{}");
  writeFileSync(join(folder, "package-lock.json"), "not even JSON");
  const lock = { lockfileVersion: 3, packages: { "": {} } };
  writeFileSync(join(folder, "npm-shrinkwrap.json"), JSON.stringify(lock));
  expect((await readProject(folder)).lock).toEqual(lock);
  const other = { ...lock, packages: { "": { dependencies: { a: "1" } } } };
  writeFileSync(join(folder, "npm-shrinkwrap.json"), JSON.stringify(other));
  await expect(readProject(folder)).rejects.toThrow("npm-shrinkwrap.json disagrees with");
  writeFileSync(join(folder, "npm-shrinkwrap.json"), "{");
  await expect(readProject(folder)).rejects.toThrow("npm-shrinkwrap.json is not valid JSON");
});

test("workspaces are refused", () => {
  expect(() => parsePackageManifest('{"workspaces":["a"]}')).toThrow(
    "workspaces cannot be vendored",
  );
});

test("a missing file is named, with the way to get it", async () => {
  const folder = mkdtempSync(join(tmpdir(), "project-"));
  await expect(readProject(folder)).rejects.toThrow(`there is no \`${folder}/package.json\``);
  writeFileSync(join(folder, "package.json"), "{}");
  await expect(readProject(folder)).rejects.toMatchObject({
    message: `there is no \`${folder}/package-lock.json\``,
    hint: "make it with `npm install --package-lock-only`",
  });
});

test("all differences between package.json and lockfile are reported at once", async () => {
  const folder = mkdtempSync(join(tmpdir(), "project-"));
  const manifest = { dependencies: { a: "2", b: "1" }, devDependencies: { c: "1" } };
  const root = { dependencies: { a: "1", b: "1" }, devDependencies: { d: "1" } };
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));
  const lock = { lockfileVersion: 3, packages: { "": root } };
  writeFileSync(join(folder, "package-lock.json"), JSON.stringify(lock));
  await expect(readProject(folder)).rejects.toThrow(
    "package-lock.json disagrees with package.json: " +
      "`a` (2, locked 1), `d` (absent, locked 1), `c` (1, locked absent)",
  );
});

const LOCK: Lockfile = {
  lockfileVersion: 3,
  packages: {
    "": {},
    "node_modules/a": {},
    "node_modules/b": {},
    "node_modules/b/node_modules/a": {},
    "node_modules/@s/c": {},
    "node_modules/@s/c/node_modules/@s/d": {},
  },
};

test.each([
  { from: "", name: "a", want: "node_modules/a" },
  { from: "node_modules/b", name: "a", want: "node_modules/b/node_modules/a" },
  { from: "node_modules/b/node_modules/a", name: "b", want: "node_modules/b" },
  { from: "node_modules/@s/c", name: "@s/d", want: "node_modules/@s/c/node_modules/@s/d" },
  { from: "node_modules/@s/c/node_modules/@s/d", name: "a", want: "node_modules/a" },
  { from: "node_modules/a", name: "@s/d", want: undefined },
])("from `$from`, `$name` is $want", ({ from, name, want }) => {
  expect(resolvePlace(LOCK, from, name)).toBe(want);
});

test("an alias has the name of what it stands for", () => {
  expect(registryName("node_modules/x/node_modules/@s/c", {})).toBe("@s/c");
  expect(registryName("node_modules/alias", { name: "real" })).toBe("real");
});

test.each([
  { keep: "all", want: ["normal", "build", "dev"] },
  { keep: "no-dev", want: ["normal", "build"] },
  { keep: "no-build", want: ["normal", "dev"] },
  { keep: "build", want: ["build"] },
])("keepDepKinds $keep keeps $want", ({ keep, want }) => {
  expect(decideFilter({ keepDepKinds: keep }).kinds).toEqual(want);
});

test("unknown keys are reported, not refused", () => {
  expect(parseVendorConfig({ platforms: [], future: 1 }).unknown).toEqual(["future"]);
});

test.each([
  { config: [], want: "`vendorFilter` of package.json is not an object" },
  { config: { platforms: "linux" }, want: "`vendorFilter.platforms`" },
  { config: { tier: 3 }, want: "`vendorFilter.tier` of package.json is not 1 or 2" },
  { config: { excludePackagePaths: [{ name: "a" }] }, want: "`vendorFilter.excludePackagePaths`" },
])("$want", ({ config, want }) => {
  expect(() => parseVendorConfig(config)).toThrow(want);
});

test.each([
  { keepDepKinds: "some", want: "`some` is not a kind of dependency" },
  {
    excludePackagePaths: [{ name: "a", exclude: "../b" }],
    want: "`a#../b` leads out of the package",
  },
  { excludePackagePaths: [{ name: "a", exclude: "/b" }], want: "`a#/b` leads out of the package" },
])("$want", ({ want, ...config }) => {
  expect(() => decideFilter(config)).toThrow(want);
});

test("NAME#GLOB", () => {
  expect(parseExclusion("@s/a#**/*.map")).toEqual({ name: "@s/a", exclude: "**/*.map" });
  expect(() => parseExclusion("a")).toThrow("`a` is not NAME#GLOB");
});
