// What a run pulled and is about to deploy, kept from clean-ups meanwhile: by a ref of the run's own, and a
// file that the run holds locked. Without its lock the ref of a run that was killed means nothing.
import { randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { PROTECTIVE_PREFIX } from "../../ostree/ref-names.ts";
import { createRef } from "../../programs/ostree/repo.ts";
import type { Context } from "../../system/context.ts";
import { readDirectoryIfAny } from "../../system/files.ts";
import { isLocked, lockFile } from "../../system/lock.ts";
import { cacheDir } from "../cache.ts";
import { listRefs, readRef } from "../files.ts";

export interface Protection {
  /**
   * The name of this run's ref, for a transaction that writes it with the commit it protects. Called under
   * the repository's lock, so that nobody takes the run for a killed one before it has locked its file.
   */
  takeRef(): Promise<string>;
}

const OWNER_PREFIX = "owner-";

/** Runs `work`, which may protect a commit until it ends. A run that protects none leaves no trace. */
export async function withProtection<T>(
  ctx: Context,
  repo: string,
  work: (protection: Protection) => Promise<T>,
): Promise<T> {
  const run = randomUUID();
  let owner: Awaited<ReturnType<typeof lockFile>> | undefined;
  try {
    return await work({
      async takeRef() {
        owner ??= await own(ctx, repo, run);
        return refOf(run);
      },
    });
  } finally {
    if (owner !== undefined) {
      await drop(repo, run);
      await owner.release();
    }
  }
}

/** Protects a commit that the repository has already. Under the repository's lock. */
export async function protectStored(
  ctx: Context,
  protection: Protection,
  { repo, commit }: { readonly repo: string; readonly commit: string },
): Promise<void> {
  await createRef(ctx, repo, { ref: await protection.takeRef(), commit });
}

/**
 * The commits that runs under way protect. The refs of runs that did not live to delete them go. Under the
 * repository's lock.
 */
export async function readProtected(ctx: Context, repo: string): Promise<ReadonlySet<string>> {
  const commits = new Set<string>();
  for (const run of await listRuns(repo)) {
    if (await isLocked(ctx, ownerPath(repo, run))) {
      const commit = await readRef(repo, refOf(run));
      if (commit !== undefined) commits.add(commit);
    } else {
      await drop(repo, run);
    }
  }
  return commits;
}

/** The names of runs that protect something or once did, whether they live or not. */
export async function listRuns(repo: string): Promise<readonly string[]> {
  const refs = await listRefs(repo, PROTECTIVE_PREFIX);
  const names = await readDirectoryIfAny(cacheDir(repo));
  const owners = names.filter((it) => it.startsWith(OWNER_PREFIX));
  return [
    ...new Set([
      ...refs.map((it) => it.slice(PROTECTIVE_PREFIX.length + 1)),
      ...owners.map((it) => it.slice(OWNER_PREFIX.length)),
    ]),
  ];
}

async function own(ctx: Context, repo: string, run: string) {
  const unexpected = () => undefined; // nobody else has the name of this run
  const options = { purpose: "deploying", timeoutMs: 0, onWait: unexpected };
  return await lockFile(ctx, ownerPath(repo, run), options);
}

/** Deletes the ref first: if we are killed in between, the remaining file identifies the run. */
async function drop(repo: string, run: string): Promise<void> {
  await rm(join(repo, "refs/heads", refOf(run)), { force: true });
  await rm(ownerPath(repo, run), { force: true });
}

function refOf(run: string): string {
  return `${PROTECTIVE_PREFIX}/${run}`;
}

function ownerPath(repo: string, run: string): string {
  return join(cacheDir(repo), `${OWNER_PREFIX}${run}`);
}
