// `ostree container image pull`: fetch an image into a repository, even without a booted host.
import { writeFile } from "node:fs/promises";
import { type RepositoryPullFlags, repositoryPullOf } from "../../../cli/options.ts";
import { formatCanonicalJson } from "../../../format/canonical-json.ts";
import { describeManifestDifference } from "../../../host/manifest-difference.ts";
import { formatOstreeReference, parseOstreeReference } from "../../../image/reference.ts";
import { describePlan, type PullPlan, recordUpdate } from "../../../pull/plan/plan.ts";
import { pullImage } from "../../../pull/pull.ts";
import type { Context } from "../../../system/context.ts";
import { withPlannedPull } from "../planned-pull.ts";

export interface ImagePullOptions extends RepositoryPullFlags {
  readonly repo: string;
  readonly imgref: string;
  readonly ostreeDigestfile?: string;
  readonly check?: string;
}

export async function imagePull(ctx: Context, options: ImagePullOptions): Promise<void> {
  const { repo } = options;
  const reference = parseOstreeReference(options.imgref);
  const name = formatOstreeReference(reference);
  const request = { repo, reference, requiresBootable: false, ...repositoryPullOf(options) };
  await withPlannedPull(ctx, request, async ({ plan, display }) => {
    if (options.check !== undefined && plan.kind === "fetch") {
      await writeFile(options.check, formatCanonicalJson(plan.offered.manifest));
      await recordUpdate(ctx, plan);
      return;
    }
    for (const line of describeDifference(plan)) ctx.say(line);
    const summary = describePlan(plan);
    if (summary !== undefined) ctx.say(summary);
    const { onEvent } = display;
    const { commit, isUnchanged } = await pullImage(ctx, plan, { onEvent });
    display.end();
    ctx.say(`${isUnchanged ? "No changes in" : "Wrote:"} ${name} => ${commit}`);
    await writeDigest(options, commit);
  });
}

/** How much of an update is new, when the repository has an earlier image of that name. */
function describeDifference(plan: PullPlan): readonly string[] {
  if (plan.kind !== "fetch" || plan.stored === undefined) return [];
  const before = plan.stored.manifest.layers.map(({ digest, size }) => ({
    digest,
    sizeBytes: size,
  }));
  return describeManifestDifference(before, plan.layers);
}

async function writeDigest({ ostreeDigestfile }: ImagePullOptions, commit: string): Promise<void> {
  if (ostreeDigestfile !== undefined) await writeFile(ostreeDigestfile, commit);
}
