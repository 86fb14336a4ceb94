// What the deployments of a sysroot need of its repository, besides what ostree's own refs keep.
import { realpath } from "node:fs/promises";
import { resolve } from "node:path";
import { textMetadata } from "../../ostree/objects.ts";
import { BASE_IMAGE_PREFIX } from "../../ostree/ref-names.ts";
import { createRef, deleteRefs } from "../../programs/ostree/repo.ts";
import { listDeploymentsOnDisk } from "../../sysroot/deployments.ts";
import type { Context } from "../../system/context.ts";
import { exists } from "../../system/files.ts";
import { listDeploymentRefs, listRefs, readCommit, readRef, requireCommit } from "../files.ts";

const BOOTC_BASES = `${BASE_IMAGE_PREFIX}/bootc`;

/**
 * Protects what ostree's own refs do not keep, each commit by a ref of ours: images on top of which commits
 * were made locally, and deployments that have lost their refs. Such a deployment reads its objects if it has
 * composefs, and ostree makes its ref anew only when it next changes the list of deployments. A ref of ours
 * that protects nothing any more goes.
 */
export async function protectDeployed(ctx: Context, repo: string): Promise<void> {
  const named = await readCommits(repo, await listDeploymentRefs(repo));
  const deployed = await listDeployed(repo);
  const lost = await findLost(repo, deployed ?? [], new Set(named));
  const wanted = [...new Set([...(await readBases(repo, [...named, ...lost])), ...lost])];
  const names = await listRefs(repo, BOOTC_BASES);
  const kept = new Map<string, string>();
  for (const ref of names) {
    const commit = await readRef(repo, ref);
    if (commit !== undefined && wanted.includes(commit) && !kept.has(commit)) kept.set(commit, ref);
  }
  // No ref is given to another commit, and the needless ones go last, so that a run that is killed in between
  // leaves too many refs, not too few.
  const missing = wanted.filter((it) => !kept.has(it));
  const taken = new Set(names);
  for (const commit of missing) {
    const ref = nameFree(taken);
    taken.add(ref);
    await createRef(ctx, repo, { ref, commit });
  }
  // Where nobody knows what is deployed, each ref of ours may protect a deployment.
  if (deployed === undefined) return;
  const needed = new Set(kept.values());
  await deleteRefs(
    ctx,
    repo,
    names.filter((it) => !needed.has(it)),
  );
}

function nameFree(taken: ReadonlySet<string>): string {
  let number = 0;
  while (taken.has(`${BOOTC_BASES}/${number}`)) number += 1;
  return `${BOOTC_BASES}/${number}`;
}

async function readCommits(repo: string, refs: readonly string[]): Promise<readonly string[]> {
  const commits = await Promise.all(refs.map((it) => readRef(repo, it)));
  return commits.filter((it) => it !== undefined); // otherwise gone since it was listed
}

/** The commits that are deployed; undefined for a repository alone, or a mount of it without its sysroot. */
async function listDeployed(repo: string): Promise<readonly string[] | undefined> {
  const sysroot = await findSysroot(repo);
  if (sysroot === undefined) return undefined;
  return (await listDeploymentsOnDisk(sysroot)).map((it) => it.commit);
}

/** The path may lead through a link to a sysroot, and a sysroot's `ostree/repo` may be a link itself. */
async function findSysroot(repo: string): Promise<string | undefined> {
  for (const path of [resolve(repo), await realpath(repo)]) {
    const [, sysroot] = /^(.*)\/ostree\/repo$/.exec(path) ?? [];
    // A mount of a repository alone may have this name as well, but it has no `ostree/deploy` beside it.
    if (sysroot !== undefined && (await exists(`${sysroot}/ostree/deploy`))) return sysroot || "/";
  }
  return undefined;
}

/** The commits of deployments without a ref; what the repository has lost as well cannot get one. */
async function findLost(
  repo: string,
  deployed: readonly string[],
  named: ReadonlySet<string>,
): Promise<readonly string[]> {
  return await filterStored(
    repo,
    [...new Set(deployed)].filter((it) => !named.has(it)),
  );
}

/** Those of the commits that the repository has. A ref to any other would make the next clean-up fail. */
async function filterStored(repo: string, commits: readonly string[]): Promise<readonly string[]> {
  const objects = await Promise.all(commits.map((it) => readCommit(repo, it)));
  return commits.filter((_, i) => objects[i] !== undefined);
}

/** Commits made locally on top of an image, which may be lost, name it in `bootc.derived`. */
async function readBases(repo: string, commits: readonly string[]): Promise<readonly string[]> {
  const objects = await Promise.all(commits.map((it) => requireCommit(repo, it)));
  const bases = objects.map(({ metadata }) => textMetadata(metadata, "bootc.derived"));
  return await filterStored(
    repo,
    bases.filter((it) => it !== undefined),
  );
}
