// Platforms as npm distinguishes them. Has no dependencies, because the installer uses it.
import { BootcError } from "../../src/errors.ts";
import { nearestPlatform } from "./platform-names.ts";

/** A platform to vendor for. Only Linux has `libc`. */
export interface NodePlatform {
  readonly os: string;
  readonly cpu: string;
  readonly libc?: string;
}

/** The platforms on which a package runs, as in package.json and lockfiles. */
export interface PlatformLimits {
  readonly os?: string | readonly string[];
  readonly cpu?: string | readonly string[];
  readonly libc?: string | readonly string[];
}

/**
 * Node's own support tiers, from the platform list in BUILDING.md of Node 24; 3 is experimental. Patterns are
 * looked up here, so this also lists everything that `*` can mean.
 */
const TIERS: Readonly<Record<string, 1 | 2 | 3>> = {
  "aix-ppc64": 2,
  "darwin-arm64": 1,
  "darwin-x64": 1,
  "freebsd-x64": 3,
  "linux-arm-glibc": 3,
  "linux-arm64-glibc": 1,
  "linux-arm64-musl": 3,
  "linux-loong64-glibc": 3,
  "linux-ppc64-glibc": 2,
  "linux-riscv64-glibc": 3,
  "linux-s390x-glibc": 2,
  "linux-x64-glibc": 1,
  "linux-x64-musl": 3,
  "openharmony-arm64": 3,
  "sunos-x64": 2,
  "win32-arm64": 2,
  "win32-x64": 1,
};

/** Parses names like `linux-x64-glibc` and `darwin-arm64`. Fails unless there are two or three parts. */
export function parsePlatform(text: string): NodePlatform {
  const [os, cpu, libc, ...more] = text.split("-");
  const isWhole = [os, cpu, libc ?? "x"].every((it) => it !== undefined && /^\w+$/.test(it));
  if (!os || !cpu || !isWhole || more.length > 0 || (libc !== undefined && os !== "linux")) {
    throw new BootcError(`\`${text}\` is not a platform`, {
      kind: "usage",
      hint: "write os-cpu, or linux-cpu-libc: linux-x64-glibc, linux-*-glibc, darwin-arm64",
    });
  }
  return libc === undefined ? { os, cpu } : { os, cpu, libc };
}

export function formatPlatform({ os, cpu, libc }: NodePlatform): string {
  return [os, cpu, libc].filter((it) => it !== undefined).join("-");
}

/**
 * The platforms that `patterns` name; `*` means any name of a part. A pattern without `*` need not be in the
 * table. Fails if Node knows no platform for a pattern, and names the nearest one.
 */
export function decidePlatforms(patterns: readonly string[]): readonly NodePlatform[] {
  const names = patterns.flatMap((pattern) => {
    const found = pattern.includes("*")
      ? Object.keys(TIERS).filter((it) => matchesPattern(it, pattern))
      : [formatPlatform(parsePlatform(pattern))].filter((it) => it === nearestPlatform(it));
    if (found.length > 0) return found;
    throw unknownPlatform(pattern);
  });
  return [...new Set(names)].sort().map(parsePlatform);
}

function unknownPlatform(pattern: string): BootcError {
  const nearest = nearestPlatform(pattern);
  return new BootcError(`no platform is called \`${pattern}\``, {
    kind: "usage",
    hint:
      nearest === undefined || nearest === pattern
        ? `known ones: ${Object.keys(TIERS).join(", ")}`
        : `did you mean \`${nearest}\`?`,
  });
}

/** The platforms that Node supports at `tier` or better. */
export function platformsOfTier(tier: 1 | 2): readonly NodePlatform[] {
  return Object.keys(TIERS)
    .filter((it) => (TIERS[it] ?? 3) <= tier)
    .map(parsePlatform);
}

function matchesPattern(name: string, pattern: string): boolean {
  const want = pattern.split("-");
  const have = name.split("-");
  return want.length === have.length && want.every((it, i) => it === "*" || it === have[i]);
}

/** Whether a package with these limits installs on `platform`, as npm-install-checks 8 decides it. */
export function runsOn(limits: PlatformLimits, platform: NodePlatform): boolean {
  if (!isAllowed(platform.os, limits.os) || !isAllowed(platform.cpu, limits.cpu)) return false;
  if (limits.libc === undefined) return true;
  // A platform without a C library accepts any; systems other than Linux have none.
  if (platform.os !== "linux") return false;
  return platform.libc === undefined || isAllowed(platform.libc, limits.libc);
}

function isAllowed(value: string, limits: string | readonly string[] | undefined): boolean {
  const list = typeof limits === "string" ? [limits] : (limits ?? []);
  if (list.length === 0 || (list.length === 1 && list[0] === "any")) return true;
  if (list.includes(`!${value}`)) return false;
  return list.includes(value) || list.every((it) => it.startsWith("!"));
}

/** The platform on which this process runs. */
export function thisPlatform(): NodePlatform {
  const { platform, arch } = process;
  if (platform !== "linux") return { os: platform, cpu: arch };
  // Otherwise, the report looks up the names of network addresses, which takes seconds without a network.
  Object.assign(process.report, { excludeNetwork: true }); // unknown to @types/node 26.6
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  const libc = report.header?.glibcVersionRuntime === undefined ? "musl" : "glibc";
  return { os: platform, cpu: arch, libc };
}
