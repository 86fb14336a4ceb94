// The private refs of a pull under way: layers that are whole, of an image that is not.
import { open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { BootcError } from "../errors.ts";
import { escapeRef, PENDING_PREFIX, PRIVATE_PREFIX, pendingRef } from "../ostree/ref-names.ts";
import { makeDirectories } from "../system/files.ts";
import { readRef } from "./files.ts";

/** Where `ostree commit` puts what is not verified yet; never trusted, whatever is found there. */
const UNVERIFIED_PREFIX = `${PRIVATE_PREFIX}/unverified`;

export function unverifiedRef(digest: string): string {
  return escapeRef(UNVERIFIED_PREFIX, digest);
}

/**
 * Turns a layer's unverified ref into its pending one, durably. Refuses where it names another commit than
 * the one that was verified: somebody else writes there. What ostree's fsck removed of that very commit
 * earlier has just been written again, which ostree does not note by itself.
 */
export async function acceptLayer(repo: string, digest: string, commit: string): Promise<void> {
  const ref = unverifiedRef(digest);
  const found = await readRef(repo, ref);
  if (found !== commit) {
    throw new BootcError(
      `the ref \`${ref}\` names \`${found ?? "nothing"}\`, not the imported commit \`${commit}\``,
      { kind: "integrity", hint: "another program writes to the repository; try again" },
    );
  }
  const from = join(repo, "refs/heads", ref);
  const to = join(repo, "refs/heads", pendingRef(digest));
  await rm(join(repo, `state/${commit}.commitpartial`), { force: true });
  await makeDirectories(dirname(to));
  await sync(from);
  await rename(from, to);
  await sync(dirname(to));
}

/** ostree flushes a ref that it writes, not the directory it is in. */
export async function syncPendingRefs(repo: string): Promise<void> {
  await sync(join(repo, "refs/heads", PENDING_PREFIX));
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
