// A mount namespace of our own, so that the host never sees what we mount and remount.
import { closeSync, constants, openSync, readdirSync, readlinkSync } from "node:fs";
import { readlink } from "node:fs/promises";
import { join } from "node:path";
import { isSea } from "node:sea";
import { BootcError } from "../errors.ts";
import type { Context } from "./context.ts";
import { findProgram } from "./find-program.ts";

/** Says that we are the one that was started anew. */
const GUARD = "_ostree_unshared";
/** Says that the progress stream has become descriptor 0 on the way. */
const PROGRESS_ON_STDIN = "_bootc_progress_on_stdin";

/**
 * Goes on only in a mount namespace that is not that of process 1: where it is the same, this process becomes
 * `unshare -m`, which starts us again with the same words. Does not return then.
 */
export async function enterPrivateMounts(
  ctx: Context,
  { progressDescriptor }: { readonly progressDescriptor: number | undefined },
): Promise<void> {
  const [ours, first] = await Promise.all(
    ["self", "1"].map((it) => readlink(join(ctx.root, `proc/${it}/ns/mnt`))),
  );
  if (ours !== first) return;
  if (process.pid === 1) return;
  if (ctx.env[GUARD] !== undefined) throw new BootcError("Failed to unshare mount namespace");
  const env = { ...ctx.env, [GUARD]: "1" };
  if (progressDescriptor !== undefined) {
    moveToStdin(progressDescriptor);
    Object.assign(env, { [PROGRESS_ON_STDIN]: "1" });
  }
  becomeUnshare(env);
}

/** Where progress is to be written: what the user said, or where starting anew has put it. */
export function progressDescriptorOf(
  ctx: Pick<Context, "env">,
  asked: number | undefined,
): number | undefined {
  if (asked === undefined) return undefined;
  return ctx.env[PROGRESS_ON_STDIN] === undefined ? asked : 0;
}

/** Refuses a descriptor nobody can read events from: one of the standard three, or no pipe. */
export function requireProgressDescriptor(
  ctx: Pick<Context, "env">,
  asked: number | undefined,
): void {
  if (asked === undefined || ctx.env[PROGRESS_ON_STDIN] !== undefined) return;
  const refuse = (why: string) =>
    new BootcError(`Cannot use fd ${asked} for progress JSON: ${why}`, { kind: "usage" });
  if (asked < 3) throw refuse("it must be 3 or above");
  if (!isPipeOfOthers(asked)) throw refuse("it is no open pipe");
}

/** Node has pipes to itself, of which it holds both ends; what we were given has its other end elsewhere. */
function isPipeOfOthers(descriptor: number): boolean {
  const target = pipeOf(String(descriptor));
  if (target === undefined) return false;
  return readdirSync("/proc/self/fd").filter((it) => pipeOf(it) === target).length === 1;
}

function pipeOf(descriptor: string): string | undefined {
  try {
    const target = readlinkSync(`/proc/self/fd/${descriptor}`);
    return target.startsWith("pipe:") ? target : undefined;
  } catch {
    return undefined; // not open, or closed since it was listed
  }
}

/**
 * Node starts with every descriptor but the first three closed to programs it becomes. Nothing of ours reads
 * standard input when progress is asked for, and the lowest free descriptor is the one a file is opened as.
 */
function moveToStdin(descriptor: number): void {
  closeSync(0);
  const moved = openSync(`/proc/self/fd/${descriptor}`, constants.O_WRONLY);
  if (moved !== 0) throw new Error("unreachable: the lowest free descriptor is 0");
}

function becomeUnshare(env: Readonly<Record<string, string | undefined>>): never {
  const self = isSea()
    ? [process.execPath, ...process.argv.slice(2)]
    : [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  // execve(2) does not search for it.
  const path = findProgram("unshare", `${env.PATH ?? ""}:/usr/bin:/bin`);
  if (process.execve === undefined) throw new Error("unreachable: Node is pinned");
  process.execve(path, ["unshare", "-m", "--", ...self], definedOf(env));
  throw new Error("unreachable: execve does not return");
}

function definedOf(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).filter((it): it is [string, string] => it[1] !== undefined),
  );
}
