// Becomes another program, which then has our process id, our streams and our parent.
import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { BootcError } from "../errors.ts";
import type { Context } from "../system/context.ts";
import { ifMissing, isForbidden } from "../system/files.ts";
import { findProgram } from "../system/find-program.ts";

/** Node ignores these, and so would a program that we become. */
const IGNORED = "PIPE,XFSZ";

/** Replaces this process by a program; returns only by an error. */
export function become(ctx: Context, program: string, args: readonly string[]): never {
  const find = (name: string) => findProgram(name, `${ctx.env.PATH ?? ""}:/usr/bin:/bin`);
  const words = ["env", `--default-signal=${IGNORED}`, find(program), ...args];
  const env = Object.entries(ctx.env).filter((it): it is [string, string] => it[1] !== undefined);
  if (process.execve === undefined) throw new Error("unreachable: Node is pinned");
  process.execve(find("env"), words, Object.fromEntries(env));
  throw new Error("unreachable: execve does not return");
}

/** Replaces this process by `command` in the mount namespace of process 1, in its `/`. */
export async function becomeOnHost(ctx: Context, command: readonly string[]): Promise<never> {
  return become(ctx, "nsenter", nsenterArgs(await readHostLayout(ctx), command));
}

/** `installer`: the system is below `/root`, as where an installer is process 1. */
type HostLayout = "system" | "installer";

function nsenterArgs(layout: HostLayout, command: readonly string[]): readonly string[] {
  const root = layout === "installer" ? "/proc/1/root/root" : "/proc/1/root";
  return ["--target=1", "--mount", `--root=${root}`, `--wd=${root}`, "--", ...command];
}

async function readHostLayout(ctx: Context): Promise<HostLayout> {
  const root = join(ctx.root, "proc/1/root");
  const isThere = (path: string) => lstat(join(root, path)).then(() => true, ifMissing(false));
  try {
    if (await isThere("usr")) return "system";
    return (await isThere("root/usr")) ? "installer" : "system";
  } catch (error) {
    if (!isForbidden(error)) throw error;
    throw new BootcError("the namespaces of process 1 cannot be entered", {
      kind: "unsupported",
      cause: error,
      hint: "run a container with `podman run --privileged --pid=host`",
    });
  }
}
