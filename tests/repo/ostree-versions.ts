// The ostree versions that the repository tests run with: the machine's own, that of Debian trixie, and for
// features that both lack, that of Debian sid. debootstrap unpacks the latter two into the test cache once. They
// run through their own dynamic linkers, so that they see the same files under the same names as everything else
// in a test.
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe } from "vitest";
import { unpackPackages } from "./debian-packages.ts";

export interface OstreeVersion {
  /** `2022.7`; what `ostree --version` says. */
  readonly version: string;
  /** The environment in which `ostree` is this version. */
  readonly env: Readonly<Record<string, string>>;
}

export const testCache = process.env.BOOTC_TEST_CACHE ?? "/var/cache/bootc-tests";

/** Both versions, oldest first; throws the reason when one is not available. */
export function ostreeVersions(): readonly OstreeVersion[] {
  return [machineOstree(), trixieOstree()];
}

/** The same, and the newest: for what has to be equal, byte by byte, to what each of them writes. */
export function allOstreeVersions(): readonly OstreeVersion[] {
  return [...ostreeVersions(), sidOstree()];
}

/** Defines the tests of `define` once for each version, which is `ostree` for everything that they start. */
export function describeEachOstree(
  define: (version: OstreeVersion) => void,
  versions: readonly OstreeVersion[] = ostreeVersions(),
): void {
  describe.each(versions)("with ostree $version", (version) => {
    const path = process.env.PATH;
    beforeAll(() => {
      process.env.PATH = version.env.PATH;
    });
    afterAll(() => {
      process.env.PATH = path;
    });
    define(version);
  });
}

/** The machine's own ostree. */
export function machineOstree(): OstreeVersion {
  return withVersion({ ...definedEnv(), LC_ALL: "C.UTF-8" });
}

/** ostree 2025.2 of Debian trixie. */
export function trixieOstree(): OstreeVersion {
  return debianOstree("trixie", unpackTrixie);
}

/** The newest ostree Debian has, 2026.4 or newer: it offers soft reboots. */
export function sidOstree(): OstreeVersion {
  return debianOstree("sid", unpackSid);
}

function debianOstree(suite: string, unpack: (root: string) => void): OstreeVersion {
  const top = join(testCache, `ostree-${suite}`);
  if (!existsSync(join(top, "bin/ostree"))) make(top, unpack);
  const path = `${join(top, "bin")}:${process.env.PATH ?? "/usr/bin:/bin"}`;
  return withVersion({ ...definedEnv(), PATH: path, LC_ALL: "C.UTF-8" });
}

function make(top: string, unpack: (root: string) => void): void {
  mkdirSync(top, { recursive: true });
  if (!existsSync(join(top, "root"))) {
    const unfinished = join(top, `root.${process.pid}`);
    rmSync(unfinished, { recursive: true, force: true });
    unpack(unfinished);
    renameSync(unfinished, join(top, "root"));
  }
  mkdirSync(join(top, "bin"), { recursive: true });
  const wrapper = join(top, `bin/.ostree.${process.pid}`);
  writeFileSync(wrapper, wrapperText(join(top, "root")));
  chmodSync(wrapper, 0o755);
  renameSync(wrapper, join(top, "bin/ostree"));
}

function unpackTrixie(root: string): void {
  execFileSync("debootstrap", ["--variant=minbase", "--include=ostree", "trixie", root], {
    stdio: ["ignore", "ignore", "inherit"],
  });
}

/** Nothing in it is configured or run, so that its packages need not suit this machine's kernel or tools. */
function unpackSid(root: string): void {
  unpackPackages(root, { suite: "sid", packages: ["ostree"] });
}

function wrapperText(root: string): string {
  return `#!/bin/sh
root=${root}
GIO_MODULE_DIR=/nonexistent exec "$root/usr/lib64/ld-linux-x86-64.so.2" \\
  --library-path "$root/usr/lib/x86_64-linux-gnu" --argv0 ostree "$root/usr/bin/ostree" "$@"
`;
}

function withVersion(env: Readonly<Record<string, string>>): OstreeVersion {
  const text = execFileSync("ostree", ["--version"], { env, encoding: "utf8" });
  const version = /^ Version: '([^']+)'/m.exec(text)?.[1];
  if (version === undefined) throw new Error(`\`ostree --version\` says no version: ${text}`);
  return { version, env };
}

function definedEnv(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).filter((it): it is [string, string] => it[1] !== undefined),
  );
}
