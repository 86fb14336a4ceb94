// lsattr: the file system's flags on files.
import type { Context } from "../../system/context.ts";
import { failureOf } from "../../system/run.ts";

export interface VerityFlags {
  readonly enabled: number;
  readonly disabled: number;
}

/** Counts content objects below `dir` with and without fs-verity. Both are 0 if files have no flags. */
export async function readVerityFlags(ctx: Context, dir: string): Promise<VerityFlags> {
  try {
    return parseVerityFlags(await ctx.read("lsattr", ["-R", dir]));
  } catch (error) {
    const said = failureOf(error)?.stderr ?? "";
    if (/Operation not supported|Inappropriate ioctl/.test(said))
      return { enabled: 0, disabled: 0 };
    throw error;
  }
}

/** Parses lines of flags and a path: `-----------------V--- objects/ab/cd.file`. */
export function parseVerityFlags(text: string): VerityFlags {
  const flags = [...text.matchAll(/^(\S+) .*\.file$/gm)].map(([, it = ""]) => it);
  const enabled = flags.filter((it) => it.includes("V")).length;
  return { enabled, disabled: flags.length - enabled };
}
