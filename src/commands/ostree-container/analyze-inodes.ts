// `ostree-ext provisional-repair analyze-inodes`: whether ostree could have taken one object for another.
import { writeFile } from "node:fs/promises";
import { checkInodes } from "../../amend/inodes.ts";
import { describeCollisions, describeInodes, formatInodeCheck } from "../../amend/result.ts";
import { requireRepository } from "../../repository/files.ts";
import type { Context } from "../../system/context.ts";

export interface AnalyzeInodesOptions {
  readonly repo: string;
  readonly verbose?: boolean;
  readonly writeResultTo?: string;
}

export async function analyzeInodes(ctx: Context, options: AnalyzeInodesOptions): Promise<void> {
  const { repo, verbose, writeResultTo } = options;
  await requireRepository(repo);
  const check = checkInodes(repo);
  if (verbose === true) for (const line of describeCollisions(check)) ctx.note(line);
  for (const line of describeInodes(check)) ctx.say(line);
  if (writeResultTo !== undefined) await writeFile(writeResultTo, formatInodeCheck(check));
  const { length } = check.collisions;
  if (length === 0) ctx.say("OK: No colliding objects found.");
  else ctx.note(`warning: ${length} potentially colliding inodes found`);
}
