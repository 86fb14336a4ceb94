// Pulling an image: plan, fetch, import, merge, commit. One writer of a repository at a time.
import { formatCanonicalJson } from "../format/canonical-json.ts";
import { createdEpochOf, versionOf } from "../image/config.ts";
import { formatImageReference } from "../image/reference.ts";
import type { OnPullEvent } from "../progress/progress.ts";
import { deletePrivateRefs } from "../repository/cleanup.ts";
import { listDeploymentRefs, readRef } from "../repository/files.ts";
import type { StoredImage } from "../repository/images.ts";
import { type Protection, protectStored } from "../repository/protection.ts";
import type { Context } from "../system/context.ts";
import { VERSION } from "../version.ts";
import { noteFiltered } from "./import/schedule.ts";
import { type ImportedImage, withLayers } from "./layers.ts";
import { removeLeftovers } from "./leftovers.ts";
import { asWriter } from "./lock.ts";
import { commitImage } from "./merge/commit.ts";
import { mergeLayers, noteReplacedLinks } from "./merge/merge.ts";
import { baseCommitOf, type PullPlan, planAgain, type UnchangedPlan } from "./plan/plan.ts";
import { judgeAgain, requireVouched } from "./policy.ts";
import type { PulledImage } from "./request.ts";

export interface PullOptions {
  /** Keeps the image safe from everybody's clean-ups until the protection ends. */
  readonly protection?: Protection;
  readonly onEvent?: OnPullEvent;
}

/**
 * Carries out a plan (of `planPull`): afterwards the repository holds the image whole, under its ref.
 * An unchanged plan returns at once, unless a policy has to vouch for it. Waits for another writer, then
 * fails as `busy`. Interrupted or failed, it leaves layers that are complete, and the next run carries on.
 */
export async function pullImage(
  ctx: Context,
  planned: PullPlan,
  options: PullOptions = {},
): Promise<PulledImage> {
  if (planned.kind !== "fetch") {
    await requireVouched(ctx, planned);
    await removeLeftovers(ctx, planned);
  }
  if (planned.kind === "unchanged" && (await isSafe(planned, options))) {
    return unchanged(planned.stored);
  }
  return await asWriter(ctx, planned, options, async () =>
    carryOut(ctx, await planAgain(planned), options),
  );
}

/** The image needs no protection: none was asked for, or it is deployed. */
async function isSafe(
  { request: { repo }, stored }: UnchangedPlan,
  { protection }: PullOptions,
): Promise<boolean> {
  if (protection === undefined) return true;
  const refs = await listDeploymentRefs(repo);
  return (await Promise.all(refs.map((it) => readRef(repo, it)))).includes(stored.commit);
}

async function carryOut(ctx: Context, plan: PullPlan, options: PullOptions): Promise<PulledImage> {
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
  return unchanged(stored);
}

function unchanged(stored: StoredImage): PulledImage {
  const { commit, manifestDigest, manifest, config } = stored;
  return { commit, manifestDigest, manifest, config, isUnchanged: true };
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
