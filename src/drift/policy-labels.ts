// Which SELinux labels the policy of the running system wants for what is in a directory.
import { join } from "node:path";
import { openFileLabels } from "../native/selabel.ts";
import type { Context } from "../system/context.ts";
import { findPolicy } from "../system/selinux-policy.ts";
import type { DriftEntry } from "./entries.ts";

/**
 * The label for a path below `directory`; undefined where the policy has none, and on a system without a
 * policy. The policy stays open until the process ends.
 */
export async function openLabelRules(
  ctx: Context,
  directory: string,
): Promise<(path: string, entry: DriftEntry) => string | undefined> {
  const policy = await findPolicy(ctx.root);
  const labels = policy === undefined ? undefined : openFileLabels(policy);
  return (path, { mode }) => labels?.lookUp(join(directory, path), mode);
}
