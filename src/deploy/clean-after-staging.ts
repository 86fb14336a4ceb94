// After a deployment was staged: whatever nothing refers to any more goes.
import type { Context } from "../system/context.ts";

export async function cleanAfterStaging(ctx: Context): Promise<void> {
  await ctx.run("ostree", ["admin", "cleanup"], { isQuiet: true });
}
