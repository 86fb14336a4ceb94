// The private refs of a pull under way: layers that are whole, of an image that is not.
import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import {
  escapeRef,
  PENDING_PREFIX,
  PRIVATE_PREFIX,
  pendingRef,
  unescapeRef,
} from "../ostree/ref-names.ts";
import { readCommit, readRefs } from "../programs/ostree-repo.ts";

/** Where `ostree commit` puts what is not verified yet; never trusted, whatever is found there. */
const UNVERIFIED_PREFIX = `${PRIVATE_PREFIX}/unverified`;

export function unverifiedRef(digest: string): string {
  return escapeRef(UNVERIFIED_PREFIX, digest);
}

/** Layers an earlier, unfinished pull has imported: digest -> commit. */
export async function readPendingLayers(repo: string): Promise<ReadonlyMap<string, string>> {
  const layers = new Map<string, string>();
  for (const [ref, commit] of await readRefs(repo, PENDING_PREFIX)) {
    if ((await readCommit(repo, commit)) === undefined) continue;
    layers.set(unescapeRef(PENDING_PREFIX, ref), commit);
  }
  return layers;
}

/** All private refs, of every kind. */
export async function readPendingRefs(repo: string): Promise<readonly string[]> {
  return [...(await readRefs(repo, PRIVATE_PREFIX)).keys()];
}

/** Turns a layer's unverified ref into its pending one, durably. */
export async function acceptLayer(repo: string, digest: string): Promise<void> {
  const from = join(repo, "refs/heads", unverifiedRef(digest));
  const to = join(repo, "refs/heads", pendingRef(digest));
  await mkdir(dirname(to), { recursive: true });
  await sync(from);
  await rename(from, to);
  await sync(dirname(to));
}

/** Forgets a layer that turned out to be damaged; its objects go with the next clean-up. */
export async function rejectLayer(repo: string, digest: string): Promise<void> {
  await rm(join(repo, "refs/heads", unverifiedRef(digest)), { force: true });
}

async function sync(path: string): Promise<void> {
  const file = await open(path, "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
