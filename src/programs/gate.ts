// Programs of the image or the administrator that say whether a step of an update is welcome now.
import { join } from "node:path";
import { BootcError } from "../errors.ts";
import type { Context } from "../system/context.ts";
import { readNamesIfAny } from "../system/files.ts";
import { failureOf } from "../system/run.ts";

/** EX_TEMPFAIL of sysexits.h. */
const NOT_NOW = 75;

const DIRECTORIES = ["usr/lib/bootc/gates.d", "etc/bootc/gates.d"];

/** Paths of the programs, in the order of their names; those in /etc replace the image's. */
export async function readGatePrograms(ctx: Context): Promise<readonly string[]> {
  const byName = new Map<string, string>();
  for (const dir of DIRECTORIES) {
    for (const name of await readNamesIfAny(join(ctx.root, dir))) {
      if (!name.startsWith(".")) byName.set(name, join(ctx.root, dir, name));
    }
  }
  return [...byName].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, path]) => path);
}

/** Asks one program about `step`: undefined for yes, else its reason. Any other failure is an error. */
export async function askGateProgram(
  ctx: Context,
  path: string,
  { step, timeoutMs }: { readonly step: string; readonly timeoutMs: number },
): Promise<string | undefined> {
  try {
    await ctx.read(path, [step], { timeoutMs });
    return undefined;
  } catch (error) {
    const failure = failureOf(error);
    if (failure?.exitCode === NOT_NOW) {
      const [first = ""] = failure.stdout.split("\n");
      return first.trim() === "" ? `\`${path}\` says not now` : first.trim();
    }
    throw new BootcError(`asking \`${path}\``, { cause: error });
  }
}
