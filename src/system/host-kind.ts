// What kind of machine this is, as far as files tell.
import { join } from "node:path";
import type { Context } from "./context.ts";
import { exists, readFileIfAny } from "./files.ts";

/** `other`: a machine that boots in a way we know nothing about. */
export type HostKind = "container" | "composefs" | "ostree" | "other";

export async function readHostKind(ctx: Context): Promise<HostKind> {
  if (await isContainer(ctx)) return "container";
  if (await isComposefs(ctx)) return "composefs";
  return (await exists(join(ctx.root, "run/ostree-booted"))) ? "ostree" : "other";
}

async function isContainer(ctx: Context): Promise<boolean> {
  if (ctx.env.container !== undefined) return true;
  const marks = await Promise.all(
    ["run/.containerenv", ".dockerenv"].map((it) => exists(join(ctx.root, it))),
  );
  return marks.includes(true);
}

async function isComposefs(ctx: Context): Promise<boolean> {
  const cmdline = await readFileIfAny(join(ctx.root, "proc/cmdline"));
  return /(?:^|\s)composefs=/.test(cmdline ?? "");
}
