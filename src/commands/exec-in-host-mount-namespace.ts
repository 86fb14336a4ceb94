// `bootc exec-in-host-mount-namespace`: run a command where process 1 has its mounts.

import { becomeOnHost } from "../programs/become.ts";
import type { Context } from "../system/context.ts";
import { requireRoot } from "../system/privileges.ts";

export async function execInHostMountNamespace(
  ctx: Context,
  command: readonly string[],
): Promise<void> {
  await requireRoot(ctx);
  await becomeOnHost(ctx, command);
}
