// sfdisk and partx: reads and writes the partitions of a disk.
import { doing } from "../../errors.ts";
import {
  isObject,
  parseJsonObject,
  requireArray,
  requireObject,
  requireString,
} from "../../format/json.ts";
import type { Context } from "../../system/context.ts";
import { failureOf } from "../../system/run.ts";

export interface TablePartition {
  readonly node: string;
  /** A GUID in lower case; in a DOS partition table, one or two hex digits. */
  readonly type: string;
}

/** The partitions of a disk; none if it has no partition table. */
export async function readPartitions(
  ctx: Context,
  disk: string,
): Promise<readonly TablePartition[]> {
  return await doing(`reading the partitions of \`${disk}\``, async () => {
    try {
      return parsePartitions(await ctx.read("sfdisk", ["--json", disk]));
    } catch (error) {
      const said = failureOf(error)?.stderr ?? "";
      if (/does not contain a recognized partition table/.test(said)) return [];
      throw error;
    }
  });
}

/** Replaces the partition table of a disk with the one that a script for sfdisk describes. */
export async function writePartitions(ctx: Context, disk: string, script: string): Promise<void> {
  await ctx.run("sfdisk", ["--wipe=always", "--quiet", disk], { input: script });
}

/** Tells the kernel about partitions that it did not find itself. */
export async function showPartitions(ctx: Context, disk: string): Promise<void> {
  await ctx.run("partx", ["--update", disk]);
}

export function parsePartitions(text: string): readonly TablePartition[] {
  const what = "sfdisk's partition table";
  const table = requireObject(parseJsonObject(what, text).partitiontable, what, "partitiontable");
  return requireArray(table.partitions ?? [], what, "partitions").map((it) => {
    const { node, type } = isObject(it) ? it : {};
    return {
      node: requireString(node, what, "node"),
      type: requireString(type, what, "type").toLowerCase(),
    };
  });
}
