// The ostree versions the repository tests run with: the machine's own, and that of Debian trixie.
// The latter is unpacked by debootstrap into the test cache once, and runs through its own dynamic linker, so
// that it sees the very same files under the same names as everything else in a test.
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe } from "vitest";

export interface OstreeVersion {
  /** `2022.7`; what `ostree --version` says. */
  readonly version: string;
  /** The environment in which `ostree` is this version. */
  readonly env: Readonly<Record<string, string>>;
}

export const testCache = process.env.BOOTC_TEST_CACHE ?? "/var/cache/bootc-tests";

/** Both versions, oldest first; throws with the reason when one cannot be had. */
export function ostreeVersions(): readonly OstreeVersion[] {
  return [machineOstree(), trixieOstree()];
}

/** The tests of `define` once for each version; `ostree` is that version in all they start meanwhile. */
export function describeEachOstree(define: (version: OstreeVersion) => void): void {
  describe.each(ostreeVersions())("with ostree $version", (version) => {
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
  const top = join(testCache, "ostree-trixie");
  if (!existsSync(join(top, "bin/ostree"))) makeTrixie(top);
  const path = `${join(top, "bin")}:${process.env.PATH ?? "/usr/bin:/bin"}`;
  return withVersion({ ...definedEnv(), PATH: path, LC_ALL: "C.UTF-8" });
}

function makeTrixie(top: string): void {
  mkdirSync(top, { recursive: true });
  if (!existsSync(join(top, "root"))) {
    const unfinished = join(top, `root.${process.pid}`);
    rmSync(unfinished, { recursive: true, force: true });
    const args = ["--variant=minbase", "--include=ostree", "trixie", unfinished];
    execFileSync("debootstrap", args, { stdio: ["ignore", "ignore", "inherit"] });
    renameSync(unfinished, join(top, "root"));
  }
  mkdirSync(join(top, "bin"), { recursive: true });
  const wrapper = join(top, `bin/.ostree.${process.pid}`);
  writeFileSync(wrapper, wrapperText(join(top, "root")));
  chmodSync(wrapper, 0o755);
  renameSync(wrapper, join(top, "bin/ostree"));
}

function wrapperText(root: string): string {
  return `#!/bin/sh
root=${root}
GIO_MODULE_DIR=/nonexistent exec "$root/lib64/ld-linux-x86-64.so.2" \\
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
