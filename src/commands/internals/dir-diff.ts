// `bootc internals dir-diff`: the three-way merge of /etc, on any directories.
import { join } from "node:path";
import { findChanges } from "../../drift/changes.ts";
import { readTreeEntries } from "../../drift/entries.ts";
import { formatPlainChanges, quoteDriftPath } from "../../drift/format.ts";
import { applyMerge, planMerge } from "../../drift/merge.ts";
import { haveSameBytes } from "../../drift/same-content.ts";
import { BootcError } from "../../errors.ts";
import type { Context } from "../../system/context.ts";

export interface DirDiffTrees {
  /** What the current tree began as. */
  readonly pristine: string;
  readonly current: string;
  /** What the changes of the current tree are made to. */
  readonly fresh: string;
}

export interface DirDiffOptions {
  readonly merge?: boolean;
}

export async function dirDiff(
  ctx: Context,
  { pristine, current, fresh }: DirDiffTrees,
  options: DirDiffOptions,
): Promise<void> {
  const [before, after, target] = [pristine, current, fresh].map(readTreeEntries);
  if (!before || !after || !target) throw new Error("unreachable: three trees were read");
  const changes = await findChanges({
    before: before.entries,
    after: after.entries,
    isSameContent: (path) => haveSameBytes(join(pristine, path), join(current, path)),
    labelFor: (_, { label }) => label,
  });
  const { steps, unmergable } = planMerge(changes, target.entries);
  for (const line of formatPlainChanges(changes)) ctx.say(line);
  for (const reason of unmergable) ctx.say(`Unmergable ${reason}`);
  const unnamed = [before, after, target].flatMap((it) => it.unnamed);
  for (const path of unnamed) {
    ctx.note(`note: left out of ${quoteDriftPath(path)} what has a name that is not UTF-8`);
  }
  if (options.merge !== true) return;
  if (unmergable.length > 0 || unnamed.length > 0) {
    throw new BootcError("the trees cannot be merged; nothing was changed", {
      hint: "move away what the lines above name, and merge again",
    });
  }
  await applyMerge({ from: current, to: fresh, labelFor: () => undefined }, steps);
}
