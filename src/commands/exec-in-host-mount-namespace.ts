// `bootc exec-in-host-mount-namespace`: run a command where process 1 has its mounts.
import type { Context } from "../system/context.ts";
import { becomeOnHost } from "../system/host-namespace.ts";
import { requireRoot } from "../system/privileges.ts";

export async function execInHostMountNamespace(
  ctx: Context,
  command: readonly string[],
): Promise<void> {
  await requireRoot(ctx);
  await becomeOnHost(ctx, command);
}
