// Becomes another program in the mount namespace of process 1.
import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { BootcError } from "../errors.ts";
import type { Context } from "./context.ts";
import { ifMissing, isForbidden } from "./files.ts";
import { findProgram } from "./find-program.ts";

/** Node ignores these, and so would a command that we become. */
const IGNORED = "PIPE,XFSZ";

/** Replaces this process by `command`, run in `/` of the host; returns only by an error. */
export async function becomeOnHost(ctx: Context, command: readonly string[]): Promise<never> {
  const args = nsenterArgs(await readHostLayout(ctx), command);
  const [starter, nsenter] = ["env", "nsenter"].map((it) =>
    findProgram(it, `${ctx.env.PATH ?? ""}:/usr/bin:/bin`),
  ) as [string, string];
  if (process.execve === undefined) throw new Error("unreachable: Node is pinned");
  const env = Object.entries(ctx.env).filter((it): it is [string, string] => it[1] !== undefined);
  const words = ["env", `--default-signal=${IGNORED}`, nsenter, ...args];
  process.execve(starter, words, Object.fromEntries(env));
  throw new Error("unreachable: execve does not return");
}

/** `installer`: the system is below `/root`, as where an installer is process 1. */
export type HostLayout = "system" | "installer";

export function nsenterArgs(layout: HostLayout, command: readonly string[]): readonly string[] {
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
