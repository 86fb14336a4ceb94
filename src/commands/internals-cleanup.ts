// `bootc internals cleanup`: removes images, layers and downloads that nothing on this host needs.
import { join } from "node:path";
import { prepareForWrite } from "../deploy/prepare-write.ts";
import { systemRepo } from "../programs/ostree-sysroot.ts";
import { cleanSysroot, describeCleanup } from "../pull/clean-sysroot.ts";
import type { Context } from "../system/context.ts";

export async function cleanup(ctx: Context): Promise<void> {
  await prepareForWrite(ctx);
  const sysroot = join(ctx.root, "sysroot");
  const done = await cleanSysroot(ctx, { sysroot, repo: systemRepo(ctx) });
  const summary = describeCleanup(done);
  if (summary !== undefined) ctx.say(summary);
}
