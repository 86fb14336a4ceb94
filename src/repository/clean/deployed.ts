// What the deployments of a sysroot need of its repository, besides what ostree's own refs keep.
import { resolve } from "node:path";
import { textMetadata } from "../../ostree/objects.ts";
import { BASE_IMAGE_PREFIX } from "../../ostree/ref-names.ts";
import { createRef, deleteRefs } from "../../programs/ostree/repo.ts";
import { listDeploymentsOnDisk } from "../../sysroot/deployments.ts";
import type { Context } from "../../system/context.ts";
import { listDeploymentRefs, listRefs, readCommit, readRef, requireCommit } from "../files.ts";

const BOOTC_BASES = `${BASE_IMAGE_PREFIX}/bootc`;

/**
 * Gives refs to these commits, and takes them from all others: images on top of which commits were made
 * locally, and deployments whose refs were lost. ostree makes those anew when it next changes deployments;
 * until then, nothing else keeps their objects, which a deployment with composefs reads.
 */
export async function protectDeployed(ctx: Context, repo: string): Promise<void> {
  const named = await readCommits(repo, await listDeploymentRefs(repo));
  const lost = await findLost(repo, new Set(named));
  const wanted = [...new Set([...(await readBases(repo, [...named, ...lost])), ...lost])];
  const present = await listRefs(repo, BOOTC_BASES);
  if ((await readCommits(repo, present)).join() === wanted.join()) return;
  const refs = wanted.map((commit, i) => ({ ref: `${BOOTC_BASES}/${i}`, commit }));
  // The needless ones go last, and so a run that is killed in between leaves too many refs, not too few.
  for (const it of refs) await createRef(ctx, repo, it);
  const isWanted = (name: string) => refs.some(({ ref }) => ref === name);
  await deleteRefs(
    ctx,
    repo,
    present.filter((it) => !isWanted(it)),
  );
}

async function readCommits(repo: string, refs: readonly string[]): Promise<readonly string[]> {
  const commits = await Promise.all(refs.map((it) => readRef(repo, it)));
  return commits.filter((it) => it !== undefined); // otherwise gone since it was listed
}

/** The commits of deployments without a ref; what the repository has lost as well cannot get one. */
async function findLost(repo: string, named: ReadonlySet<string>): Promise<readonly string[]> {
  const sysroot = /^(.*)\/ostree\/repo$/.exec(resolve(repo))?.[1];
  if (sysroot === undefined) return [];
  const deployed = (await listDeploymentsOnDisk(sysroot || "/")).map((it) => it.commit);
  const lost = [...new Set(deployed)].filter((it) => !named.has(it));
  const objects = await Promise.all(lost.map((it) => readCommit(repo, it)));
  return lost.filter((_, i) => objects[i] !== undefined);
}

/** Commits made locally on top of an image name it in `bootc.derived`. */
async function readBases(repo: string, commits: readonly string[]): Promise<readonly string[]> {
  const objects = await Promise.all(commits.map((it) => requireCommit(repo, it)));
  const bases = objects.map(({ metadata }) => textMetadata(metadata, "bootc.derived"));
  return bases.filter((it) => it !== undefined);
}
