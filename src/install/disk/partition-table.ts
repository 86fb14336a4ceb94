// The partition table a root was found in: not every kind is what firmware and boot loaders expect.
import { readPartitionTableType } from "../../programs/disk/blkid.ts";
import type { Context } from "../../system/context.ts";
import { describeTableWarning } from "../plan/partition-plan.ts";

/** Says so when the disk has a table that may not boot; a root on several disks, or none, has no table. */
export async function warnOfPartitionTable(ctx: Context, disk: string | undefined): Promise<void> {
  if (disk === undefined) return;
  const warning = describeTableWarning(await readPartitionTableType(ctx, disk));
  if (warning !== undefined) ctx.note(`warning: ${warning}`);
}
