// Programs of the image or the administrator that say whether a step of an update is welcome now.
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { BootcError } from "../errors.ts";
import type { Context } from "../system/context.ts";
import { ifMissing, readNamesIfAny } from "../system/files.ts";
import { failureOf } from "../system/run.ts";

/** EX_TEMPFAIL of sysexits.h. */
const NOT_NOW = 75;

export async function readGatePrograms(ctx: Context): Promise<readonly string[]> {
  return await readDropInPrograms(ctx, "gates.d");
}

/**
 * Paths of the programs in a directory of the image and the one of the same name in /etc, in the order of
 * their names. Those in /etc replace the image's, and a link to /dev/null masks one.
 */
export async function readDropInPrograms(
  ctx: Context,
  directory: string,
): Promise<readonly string[]> {
  const byName = new Map<string, string>();
  for (const top of ["usr/lib/bootc", "etc/bootc"]) {
    const dir = join(ctx.root, top, directory);
    for (const name of await readNamesIfAny(dir)) {
      if (!name.startsWith(".")) byName.set(name, join(dir, name));
    }
  }
  const paths = [...byName].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, path]) => path);
  const found = await Promise.all(
    paths.map(async (path) => ({ path, stats: await stat(path).catch(ifMissing(undefined)) })),
  );
  return found.flatMap(({ path, stats }) => (stats?.isCharacterDevice() ? [] : [path]));
}

/** Asks one program about `step`: undefined for yes, else its reason. Any other failure is an error. */
export async function askGateProgram(
  ctx: Context,
  path: string,
  { step, timeoutMs }: { readonly step: string; readonly timeoutMs: number },
): Promise<string | undefined> {
  try {
    await ctx.read(path, [step], { timeoutMs, keepsLocale: true });
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
