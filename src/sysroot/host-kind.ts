// What kind of machine this is, judged by its files.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Context } from "../system/context.ts";
import { exists, isMissing } from "../system/files.ts";

/** `other`: a machine that boots in a way we know nothing about. */
export type HostKind = "container" | "composefs" | "ostree" | "other";

export async function readHostKind(ctx: Context): Promise<HostKind> {
  if (await isContainer(ctx)) return "container";
  if (await isComposefs(ctx)) return "composefs";
  return (await exists(join(ctx.root, "run/ostree-booted"))) ? "ostree" : "other";
}

async function isContainer(ctx: Context): Promise<boolean> {
  return (await readContainerSign(ctx)) !== undefined;
}

/** What makes this machine look like a container, in words; undefined when it is not one. */
export async function readContainerSign(ctx: Context): Promise<string | undefined> {
  const { container } = ctx.env;
  if (container !== undefined) return `the environment variable \`container\` is \`${container}\``;
  for (const mark of ["run/.containerenv", ".dockerenv"]) {
    if (await exists(join(ctx.root, mark))) return `there is a file \`/${mark}\``;
  }
  return undefined;
}

async function isComposefs(ctx: Context): Promise<boolean> {
  return /(?:^|\s)composefs=/.test(readKernelArguments(ctx));
}

/** At once, since nearly every command begins with this question. */
function readKernelArguments({ root }: Context): string {
  try {
    return readFileSync(join(root, "proc/cmdline"), "utf8");
  } catch (error) {
    if (isMissing(error)) return "";
    throw error;
  }
}
