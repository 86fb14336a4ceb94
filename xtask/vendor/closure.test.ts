import { describe, expect, test } from "vitest";
import { decideClosure, type Filter, KINDS } from "./closure.ts";
import type { LockEntry, Lockfile } from "./lockfile.ts";
import { decidePlatforms } from "./platform.ts";
import { pruneLock, pruneManifest } from "./prune.ts";

const I = "sha512-AAAA";

function lockOf(root: LockEntry, packages: Readonly<Record<string, LockEntry>>): Lockfile {
  const whole = Object.entries(packages).map(([place, it]) => [
    place.startsWith("node_modules/") ? place : `node_modules/${place}`,
    { version: "1.0.0", integrity: I, ...it },
  ]);
  return { lockfileVersion: 3, packages: { "": root, ...Object.fromEntries(whole) } };
}

function filterOf(some: Partial<Filter> & { on?: readonly string[] } = {}): Filter {
  const platforms = decidePlatforms(some.on ?? []);
  return { kinds: KINDS, buildDependencies: [], excludePackages: [], platforms, ...some };
}

const PROJECT = lockOf(
  {
    dependencies: { a: "1" },
    devDependencies: { tool: "1", check: "1" },
    optionalDependencies: { "bin-x64": "1", "bin-arm64": "1", "bin-mac": "1" },
  },
  {
    a: { dependencies: { b: "1", shared: "1" }, devDependencies: { nobody: "1" } },
    b: { dependencies: { shared: "2" }, peerDependencies: { a: "1", absent: "1" } },
    "node_modules/b/node_modules/shared": { version: "2.0.0" },
    shared: {},
    tool: { dependencies: { shared: "1", only: "1" } },
    only: {},
    check: { optionalDependencies: { "check-mac": "1", missing: "1" } },
    "check-mac": { os: ["darwin"], optional: true },
    "bin-x64": { os: "linux" as never, cpu: ["x64"], optional: true },
    "bin-arm64": { os: ["linux"], cpu: ["arm64"], optional: true },
    "bin-mac": { os: ["darwin"], optional: true, dependencies: { "mac-only": "1" } },
    "mac-only": { optional: true },
  },
);

const kept = (lock: Lockfile, filter: Filter) =>
  decideClosure(lock, filter).kept.map(
    (it) => `${it.kind} ${it.place.replaceAll("node_modules/", "")}`,
  );

describe("what is kept", () => {
  test("normal and build dependencies for two platforms", () => {
    const filter = filterOf({
      kinds: ["normal", "build"],
      buildDependencies: ["tool"],
      on: ["linux-x64-glibc", "linux-arm64-glibc"],
    });
    expect(kept(PROJECT, filter)).toEqual([
      "normal a",
      "normal b",
      "normal b/shared",
      "normal shared",
      "build tool",
      "build only",
      "normal bin-x64",
      "normal bin-arm64",
    ]);
  });

  test("a build dependency keeps what it shares with the product", () => {
    const filter = filterOf({ kinds: ["build"], buildDependencies: ["tool"] });
    expect(kept(PROJECT, filter)).toEqual(["normal shared", "build tool", "build only"]);
  });

  test("everything, without a filter", () => {
    expect(kept(PROJECT, filterOf())).toHaveLength(12);
  });

  test("every dropped package has its reason", () => {
    const filter = filterOf({
      kinds: ["normal"],
      excludePackages: ["bin-arm*"],
      on: ["linux-*-glibc"],
    });
    const dropped = decideClosure(PROJECT, filter).dropped;
    expect(Object.fromEntries(dropped.map((it) => [it.name, it.reason]))).toEqual({
      tool: "kind",
      only: "kind",
      check: "kind",
      "check-mac": "kind",
      "bin-arm64": "excluded",
      "bin-mac": "platform",
      "mac-only": "unreached",
    });
  });
});

test("the pruned pair names what was kept, with the flags npm would set", () => {
  const lock = lockOf(
    { dependencies: { a: "1" }, devDependencies: { tool: "1", check: "1" } },
    {
      a: { optionalDependencies: { o: "1" } },
      o: { optional: true },
      tool: { dev: true, dependencies: { o: "1" }, optionalDependencies: { p: "1" } },
      p: { devOptional: true },
      check: { dev: true },
    },
  );
  const filter = filterOf({ kinds: ["normal", "build"], buildDependencies: ["tool"] });
  const closure = decideClosure(lock, filter);
  const tarballs = new Map(
    closure.kept.map((it) => [it.place, { file: `vendor/${it.name}.tgz`, integrity: I }]),
  );
  const { packages } = pruneLock(lock, closure, tarballs);
  expect(packages[""]).toEqual({ dependencies: { a: "1" }, devDependencies: { tool: "1" } });
  const flags = Object.entries(packages).map(([place, it]) => [
    place.replace("node_modules/", ""),
    it.resolved,
    it.dev,
    it.optional,
    it.devOptional,
  ]);
  expect(flags.slice(1)).toEqual([
    ["a", "file:vendor/a.tgz", undefined, undefined, undefined],
    ["o", "file:vendor/o.tgz", undefined, undefined, true],
    ["tool", "file:vendor/tool.tgz", true, undefined, undefined],
    ["p", "file:vendor/p.tgz", true, true, undefined],
  ]);
  const manifest = pruneManifest(
    { name: "x", scripts: { prepare: "evil" }, devDependencies: { tool: "1", check: "1" } },
    closure,
  );
  expect(manifest).toEqual({ name: "x", devDependencies: { tool: "1" } });
});

test("the pruned lockfile names no optional package that was dropped: npm would call it outdated", () => {
  const closure = decideClosure(PROJECT, filterOf({ kinds: ["dev"], on: ["linux-x64-glibc"] }));
  const tarballs = new Map(closure.kept.map((it) => [it.place, { file: "f", integrity: I }]));
  const { packages } = pruneLock(PROJECT, closure, tarballs);
  expect(PROJECT.packages["node_modules/check"]).toHaveProperty("optionalDependencies");
  expect(packages["node_modules/check"]).not.toHaveProperty("optionalDependencies");
});

describe("what cannot be vendored says why", () => {
  test.each([
    {
      a: { integrity: "" },
      want: "`a@1.0.0` has no integrity in the lockfile",
      kind: "integrity",
    },
    { a: { link: true, resolved: "packages/a" }, want: "`a@1.0.0` is a link into a workspace" },
    { a: { inBundle: true }, want: "`a@1.0.0` comes inside another package's tarball" },
    { a: { resolved: "git+ssh://git@x/y.git#1" }, want: "`a@1.0.0` comes from git" },
    { a: { resolved: "file:../a.tgz" }, want: "`a@1.0.0` comes from a local file" },
    {
      a: { dependencies: { gone: "1" } },
      want: "`gone`, which `a` needs, is not in",
      kind: "failed",
    },
    { a: { os: ["win32"] }, want: "`a` runs on none of the chosen platforms, but package.json" },
  ] as const)("$want", ({ a, want, ...rest }) => {
    const lock = lockOf({ dependencies: { a: "1" } }, { a: a as unknown as LockEntry });
    const filter = filterOf({ on: ["linux-*-glibc"] });
    const kind = "kind" in rest ? rest.kind : expect.stringMatching("unsupported|failed");
    expect(failure(() => decideClosure(lock, filter))).toMatchObject({
      kind,
      message: expect.stringContaining(want),
      hint: expect.any(String),
    });
  });

  test.each([
    { range: "git+https://host/x.git", want: "from git" },
    { range: "github:user/repo", want: "from git" },
    { range: "user/repo#main", want: "from git" },
    { range: "https://host/x.tgz", want: "from an address" },
    { range: "file:../x", want: "from a folder or file" },
    { range: "workspace:*", want: "from a workspace" },
  ])("$range: $want", ({ range, want }) => {
    const lock = lockOf({ dependencies: { a: range } }, { a: {} });
    const { message } = failure(() => decideClosure(lock, filterOf()));
    expect(message).toBe(`package.json takes \`a\` ${want}: \`${range}\``);
  });

  test.each(["1.0.0", "^1 || ^2", "latest", "npm:@scope/other@1.2.3", ">=1 <2"])(
    "%s comes from the registry",
    (range) => {
      const lock = lockOf({ dependencies: { a: range } }, { a: {} });
      expect(kept(lock, filterOf())).toEqual(["normal a"]);
    },
  );

  test("but not when it is left out", () => {
    const lock = lockOf({ devDependencies: { a: "user/repo" } }, { a: { integrity: "" } });
    expect(kept(lock, filterOf({ kinds: ["normal"] }))).toEqual([]);
  });

  test("an excluded package that something needs", () => {
    const { message } = failure(() =>
      decideClosure(PROJECT, filterOf({ excludePackages: ["shared"] })),
    );
    expect(message).toBe("`shared` is excluded, but `a` needs it");
  });

  test("a build dependency that nobody declared", () => {
    const { message } = failure(() =>
      decideClosure(PROJECT, filterOf({ buildDependencies: ["nope"] })),
    );
    expect(message).toBe("the build dependency `nope` is not in package.json");
  });
});

function failure(work: () => unknown): Error {
  try {
    work();
  } catch (error) {
    return error as Error;
  }
  throw new Error("it did not fail");
}
