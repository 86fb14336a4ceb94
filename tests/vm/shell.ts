// Runs programs in tests: keeps their output, explains failures, and limits waits.
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { execa } from "execa";

export interface Ran {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ShellOptions {
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly timeoutMs?: number;
}

/** Runs a program and returns how it ended; a status from 255 up is never the program's own. */
export async function attempt(
  program: string,
  args: readonly string[],
  options: ShellOptions = {},
): Promise<Ran> {
  const result = await execa(program, args, {
    reject: false,
    ...(options.input === undefined ? { stdin: "ignore" as const } : { input: options.input }),
    ...(options.env === undefined ? {} : { env: { ...options.env } }),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    timeout: options.timeoutMs ?? 600_000,
    maxBuffer: 1 << 28,
  });
  if (result.exitCode === undefined) {
    throw new Error(`${program} ${args.join(" ")}: ${result.message ?? "did not start"}`);
  }
  return { status: result.exitCode, stdout: result.stdout ?? "", stderr: result.stderr ?? "" };
}

/** Runs a program that must succeed; returns its standard output. */
export async function sh(
  program: string,
  args: readonly string[],
  options: ShellOptions = {},
): Promise<string> {
  const ran = await attempt(program, args, options);
  if (ran.status === 0) return ran.stdout;
  throw new Error(
    `\`${program} ${args.join(" ")}\` ended with ${ran.status}:\n${ran.stdout}\n${ran.stderr}`,
  );
}

/** Starts a program that the kernel ends when this process ends, whatever the cause. */
export function spawnBound(
  program: string,
  args: readonly string[],
  options: SpawnOptions,
): ChildProcess {
  return spawn("setpriv", ["--pdeathsig", "KILL", "--", program, ...args], options);
}

/** Asks repeatedly until there is an answer; after `limitMs`, fails and says what it waited for. */
export async function waitFor<T>(
  what: string,
  limitMs: number,
  ask: () => Promise<T | undefined>,
): Promise<T> {
  const end = Date.now() + limitMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > end) throw new Error(`waited ${limitMs / 1000} s for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}
