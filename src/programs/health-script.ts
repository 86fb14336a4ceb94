// Programs of the image, the administrator or greenboot that say whether a system is healthy.
import { join } from "node:path";
import { explainError } from "../errors.ts";
import type { Context } from "../system/context.ts";
import { exists, readNamesIfAny } from "../system/files.ts";
import { failureOf, type ProgramFailure } from "../system/run.ts";
import { readDropInPrograms } from "./gate.ts";

export type ScriptKind = "required" | "wanted";

/** greenboot's own unit; where it is installed, it runs greenboot's checks. */
export const GREENBOOT_UNIT = "greenboot-healthcheck.service";

/** Paths of the programs, in the order of their names; those in /etc replace others of the same name. */
export async function listHealthScripts(
  ctx: Context,
  kind: ScriptKind,
): Promise<readonly string[]> {
  const theirs = (await exists(join(ctx.root, "usr/lib/systemd/system", GREENBOOT_UNIT)))
    ? []
    : ["usr/lib/greenboot/check", "etc/greenboot/check"].map((it) => `${it}/${kind}.d`);
  return [
    ...(await readDropInPrograms(ctx, `health.d/${kind}.d`)).filter((it) => !isLeftOver(it)),
    ...(await listDirectories(ctx, theirs, (name) => name.endsWith(".sh"))),
  ];
}

/** What editors and package managers leave behind. */
function isLeftOver(path: string): boolean {
  return /(~|\.(rpmsave|rpmnew|rpmorig|dpkg-(old|new|dist)))$/.test(path);
}

async function listDirectories(
  ctx: Context,
  dirs: readonly string[],
  isMeant: (name: string) => boolean,
): Promise<readonly string[]> {
  const byName = new Map<string, string>();
  for (const dir of dirs) {
    for (const name of await readNamesIfAny(join(ctx.root, dir))) {
      if (!name.startsWith(".") && isMeant(name)) byName.set(name, join(ctx.root, dir, name));
    }
  }
  return [...byName].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, path]) => path);
}

export interface ScriptFailure {
  readonly reason: string;
  /** The last lines that it printed. */
  readonly details: readonly string[];
}

/** Undefined if the program ends with status 0 in time. */
export async function runHealthScript(
  ctx: Context,
  path: string,
  timeoutMs: number,
): Promise<ScriptFailure | undefined> {
  // Unlike us, timeout(1) also ends what the program has started, which would keep its output open.
  const seconds = Math.max(1, Math.round(timeoutMs / 1000));
  const startedMs = performance.now();
  try {
    await ctx.read("timeout", ["--kill-after=5", String(seconds), path], {
      timeoutMs: timeoutMs + GRACE_MS,
      keepsLocale: true,
    });
    return undefined;
  } catch (error) {
    const isOverdue = performance.now() - startedMs >= seconds * 1000;
    const failure = failureOf(error);
    const lines = failure === undefined ? [] : `${failure.stdout}\n${failure.stderr}`.split("\n");
    return {
      reason: isOverdue
        ? `\`${path}\` did not end within ${seconds} s`
        : (describeEnd(path, failure) ?? explainError(error)),
      details: lines.filter((it) => it.trim() !== "").slice(-10),
    };
  }
}

/** What timeout(1) needs at most to kill a program that does not mind being ended. */
const GRACE_MS = 10_000;

/** When timeout(1) cannot start a program. The program may end so as well. */
const NOT_STARTED_STATUSES = [126, 127];

function describeEnd(path: string, failure: ProgramFailure | undefined): string | undefined {
  const { exitCode, signal, stderr = "" } = failure ?? {};
  // timeout(1) ends itself by the signal that has ended the program.
  if (signal !== undefined) return `\`${path}\` ended by ${signal}`;
  if (exitCode === undefined) return undefined;
  if (NOT_STARTED_STATUSES.includes(exitCode) && blames(stderr, path)) {
    return `\`${path}\` cannot be run`;
  }
  return `\`${path}\` ended with status ${exitCode}`;
}

/** Whether timeout(1) names the program. Which words it uses depends on the language. */
function blames(stderr: string, path: string): boolean {
  return stderr.split("\n").some((line) => line.startsWith("timeout: ") && line.includes(path));
}
