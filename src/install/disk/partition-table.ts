// Warns of partition tables that firmware and boot loaders may not support.
import { readPartitionTableType } from "../../programs/disk/blkid.ts";
import type { Context } from "../../system/context.ts";
import { describeTableWarning } from "../plan/partition-plan.ts";

/** Warns if the disk may not boot. A root that is not on exactly one disk has no table to check. */
export async function warnOfPartitionTable(ctx: Context, disk: string | undefined): Promise<void> {
  if (disk === undefined) return;
  const warning = describeTableWarning(await readPartitionTableType(ctx, disk));
  if (warning !== undefined) ctx.note(`warning: ${warning}`);
}
