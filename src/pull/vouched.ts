// Whether the keys of an ostree remote vouch for an image.
import { requireSigned } from "../programs/ostree/verify.ts";
import type { Context } from "../system/context.ts";
import { baseCommitOf, type PullPlan } from "./plan/plan.ts";

/** If an ostree remote has to vouch for the image, its keys must have signed the commit in it. */
export async function requireVouched(
  ctx: Context,
  plan: PullPlan,
  imported: ReadonlyMap<string, string> = new Map(),
): Promise<void> {
  const { repo, reference } = plan.request;
  if (reference.verification.kind !== "remote") return;
  const commit = baseCommitOf(plan, imported);
  if (commit === undefined) throw new Error("unreachable: the plan has no commit to vouch for");
  await requireSigned(ctx, { repo, commit, remote: reference.verification.remote });
}
