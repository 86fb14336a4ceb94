// tar: reads a file from an archive.
import type { Context } from "../system/context.ts";

/** The text of the member `name`. */
export async function readTarMember(ctx: Context, archive: string, name: string): Promise<string> {
  return await ctx.read("tar", ["--extract", "--to-stdout", `--file=${archive}`, name]);
}
