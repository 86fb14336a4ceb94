// Clones this repository's commit to a separate folder, and runs xtask there as a user would.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, symlinkSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join, resolve } from "node:path";

export const TOP = resolve(import.meta.dirname, "../..");

/** The cache of downloads and slow steps, which all tests share and can do without. */
export const SHARED_CACHE = join(process.env.BOOTC_TEST_CACHE ?? defaultCache(), "xtask");

export interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface XtaskOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** Only root may write to the system's own place. */
function defaultCache(): string {
  return process.getuid?.() === 0
    ? "/var/cache/bootc-tests"
    : join(homedir(), ".cache/bootc-tests");
}

/** An empty folder; nobody but root can look into it, as with any folder of `mktemp`. */
export function scratchFolder(name: string): string {
  return mkdtempSync(join(tmpdir(), `bootc-packages-${name}-`));
}

/** Clones the commit that is checked out in `from` to `folder`. */
export function cloneTo(folder: string, from = TOP): string {
  git(TOP, "clone", "--quiet", "--no-hardlinks", from, folder);
  // The locked dependencies are the same, so installing them again would test nothing.
  symlinkSync(join(TOP, "node_modules"), join(folder, "node_modules"));
  return folder;
}

export function git(cwd: string, ...args: string[]): string {
  const identity = ["-c", "user.name=A B", "-c", "user.email=a@example.org"];
  // Behind the two settings of vitest.config.ts.
  const env = { ...process.env, GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_COUNT: "3" };
  const safe = { GIT_CONFIG_KEY_2: "safe.directory", GIT_CONFIG_VALUE_2: "*" };
  return execFileSync("git", [...identity, ...args], {
    cwd,
    encoding: "utf8",
    env: { ...env, ...safe },
  }).trim();
}

/** `node xtask/run.cjs ARGS` in a clone. Nothing gets installed: CI is unset. */
export function xtask(args: readonly string[], { cwd, env }: XtaskOptions): Ran {
  mkdirSync(SHARED_CACHE, { recursive: true });
  const { status, stdout, stderr } = spawnSync("node", ["xtask/run.cjs", ...args], {
    cwd,
    encoding: "utf8",
    maxBuffer: 1 << 28,
    env: { ...process.env, BOOTC_CACHE: SHARED_CACHE, CI: undefined, ...env },
  });
  return { status, stdout, stderr };
}

/** Why a test cannot run here, for its title; undefined when it can. */
export function missingProgram(...names: readonly string[]): string | undefined {
  const folders = (process.env.PATH ?? "").split(":");
  const missing = names.filter((it) => !folders.some((folder) => existsSync(join(folder, it))));
  return missing.length === 0 ? undefined : `${missing.join(", ")} not installed`;
}
