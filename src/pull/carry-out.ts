// Carries out a plan that changes the repository: fetch, import, merge, commit.
import { formatCanonicalJson } from "../format/canonical-json.ts";
import { createdEpochOf, versionOf } from "../image/config.ts";
import { formatImageReference } from "../image/reference.ts";
import { deletePrivateRefs } from "../repository/clean/cleanup.ts";
import { protectStored } from "../repository/clean/protection.ts";
import type { StoredImage } from "../repository/images.ts";
import type { Context } from "../system/context.ts";
import { VERSION } from "../version.ts";
import { noteFiltered } from "./import/schedule.ts";
import { type ImportedImage, withLayers } from "./layers.ts";
import { commitImage } from "./merge/commit.ts";
import { mergeLayers, noteReplacedLinks } from "./merge/merge.ts";
import { baseCommitOf, type PullPlan } from "./plan/plan.ts";
import { judgeAgain } from "./policy.ts";
import { type PulledImage, type PullOptions, unchangedImage } from "./request.ts";
import { requireVouched } from "./vouched.ts";

/** Brings about what the plan says, which must have been made under the writer's lock. */
export async function carryOut(
  ctx: Context,
  plan: PullPlan,
  options: PullOptions,
): Promise<PulledImage> {
  const keep = (stored: StoredImage) => keepStored(ctx, plan.request.repo, { stored, ...options });
  const store = (image: ImportedImage) => storeImage(ctx, image, options);
  switch (plan.kind) {
    case "unchanged":
      await requireVouched(ctx, plan);
      return await keep(plan.stored);
    case "judge-again":
      return await judgeAgain(ctx, plan, { ...options, keep, store });
    case "fetch":
      return await withLayers(ctx, plan, { ...options, isStored: false }, store);
  }
}

async function keepStored(
  ctx: Context,
  repo: string,
  { stored, protection }: { readonly stored: StoredImage } & PullOptions,
): Promise<PulledImage> {
  if (protection) await protectStored(ctx, protection, { repo, commit: stored.commit });
  return unchangedImage(stored);
}

/** Merges the layers and commits the image. */
async function storeImage(
  ctx: Context,
  { plan, imported, begun, labels }: ImportedImage,
  { protection, onEvent }: PullOptions,
): Promise<PulledImage> {
  const { repo } = plan.request;
  const { manifestDigest, manifest, config } = plan.offered;
  await requireVouched(ctx, plan, imported.commits);
  noteFiltered(ctx, imported);
  onEvent?.({ type: "stage", stage: "merging" });
  const layers = plan.layers.map((it) => {
    const commit = it.commit ?? imported.commits.get(it.digest);
    if (commit === undefined) throw new Error(`unreachable: layer ${it.digest} was not imported`);
    return { digest: it.digest, kind: it.kind, commit };
  });
  const base = baseCommitOf(plan, imported.commits);
  const derived = layers.filter((it) => it.kind === "derived").map((it) => it.commit);
  const merged = await mergeLayers({ repo, base, derived }, begun);
  noteReplacedLinks(ctx, merged);
  const { commit } = await commitImage(ctx, {
    repo,
    base,
    derived,
    merged,
    labels,
    reference: formatImageReference(plan.image),
    layers,
    manifestDigest,
    manifest: formatCanonicalJson(manifest),
    config: formatCanonicalJson(config),
    createdEpoch: createdEpochOf(manifest, config) ?? Math.floor(Date.now() / 1000),
    importerVersion: VERSION,
    protectiveRef: await protection?.takeRef(),
    version: versionOf(config),
  });
  await deletePrivateRefs(repo, plan.layers);
  onEvent?.({ type: "stage", stage: "committed" });
  return { commit, manifestDigest, manifest, config, isUnchanged: false };
}
