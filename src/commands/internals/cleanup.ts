// `bootc internals cleanup`: remove images, layers and downloads that nothing on this host needs.
import { join } from "node:path";
import { type LockFlags, lockTimeoutOf } from "../../cli/options.ts";
import { cleanHost } from "../../deploy/clean-host.ts";
import { prepareForWrite, withHostLock } from "../../deploy/prepare-write.ts";
import { cleanDeployments } from "../../programs/ostree/admin.ts";
import { systemRepo } from "../../sysroot/sysroot.ts";
import type { Context } from "../../system/context.ts";

export async function cleanup(ctx: Context, options: LockFlags): Promise<void> {
  const timeoutMs = lockTimeoutOf(options);
  await prepareForWrite(ctx);
  const sysroot = join(ctx.root, "sysroot");
  const repo = systemRepo(ctx);
  const lock = { purpose: "cleaning up", timeoutMs, removesSuperseded: true };
  const summary = await withHostLock(ctx, lock, async () => {
    // Unlisted deployments are removed first, so that their images can be removed, too.
    await cleanDeployments(ctx);
    return await cleanHost(ctx, { sysroot, repo, lockTimeoutMs: timeoutMs });
  });
  if (summary !== undefined) ctx.say(summary);
}
