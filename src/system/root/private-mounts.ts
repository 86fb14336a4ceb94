// A private mount namespace, so that the host never sees what we mount and remount.
import { closeSync, constants, openSync, readdirSync, readlinkSync } from "node:fs";
import { readlink } from "node:fs/promises";
import { join } from "node:path";
import { isSea } from "node:sea";
import { BootcError } from "../../errors.ts";
import type { Context } from "../context.ts";
import { findProgram } from "../find-program.ts";

/** Set when this process has already been restarted in a new namespace. */
const GUARD = "_ostree_unshared";
/** Set when the restart has moved the progress stream to descriptor 0. */
const PROGRESS_ON_STDIN = "_bootc_progress_on_stdin";

/**
 * Makes sure that our mount namespace differs from that of process 1. If it does not, this process becomes
 * `unshare -m`, which starts us again with the same arguments, and the call does not return.
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

/** The descriptor for the progress stream: the one the user named, or the one the restart moved it to. */
export function progressDescriptorOf(
  ctx: Pick<Context, "env">,
  asked: number | undefined,
): number | undefined {
  if (asked === undefined) return undefined;
  return ctx.env[PROGRESS_ON_STDIN] === undefined ? asked : 0;
}

/** Refuses a descriptor that cannot carry the stream: one of the standard three, or not a pipe. */
export function requireProgressDescriptor(
  ctx: Pick<Context, "env">,
  asked: number | undefined,
): void {
  if (asked === undefined || ctx.env[PROGRESS_ON_STDIN] !== undefined) return;
  const refuse = (why: string) =>
    new BootcError(`Cannot use fd ${asked} for progress JSON: ${why}`, { kind: "usage" });
  if (asked < 3) throw refuse("it must be 3 or above");
  if (!isPipeOfOthers(asked)) throw refuse("it is not an open pipe");
}

/** Node holds both ends of its internal pipes; the other end of a pipe given to us is elsewhere. */
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
    return undefined; // not open, or closed since the listing
  }
}

/**
 * Node marks every descriptor but the first three as closed on exec. None of our code reads standard input
 * when progress is requested, and opening a file uses the lowest free descriptor.
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
  // execve(2) does not search PATH.
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
