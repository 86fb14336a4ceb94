// Images that others bind: found in a tree, stored before what binds them can boot, removed after it.
import { join } from "node:path";
import { BootcError, doing } from "../../errors.ts";
import { BOUND_IMAGES_DIR, parseBoundImage } from "../../host/bound-images.ts";
import { parseImageReference } from "../../image/reference.ts";
import { canonicalizeReference } from "../../image/registry-name.ts";
import { readAuthFile, requirePolicyFile } from "../../programs/skopeo/policy.ts";
import type { StorageCopy } from "../../programs/skopeo/storage.ts";
import { readUserAgent } from "../../programs/skopeo/user-agent.ts";
import { followedImage } from "../../repository/clean/cleanup.ts";
import { openCommit } from "../../repository/tree.ts";
import { listDeploymentsOnDisk } from "../../sysroot/deployments.ts";
import type { Context } from "../../system/context.ts";
import { readFileIfAny } from "../../system/files.ts";
import { type FileTree, openDirectory } from "../../system/root/file-tree.ts";
import { labelStorage } from "../label-files.ts";
import { readMissing, removeUnbound, storeImages } from "./storage.ts";

/** Names of the images that the image unpacked at `root` binds, each once. */
export async function readBoundImages(root: string): Promise<readonly string[]> {
  return await readBoundIn(openDirectory(root));
}

/** The same for a commit: what the image says, whatever the machine's /etc has now. */
export async function readCommittedBoundImages(
  repo: string,
  commit: string,
): Promise<readonly string[]> {
  return await readBoundIn(await openCommit(repo, commit));
}

async function readBoundIn(tree: FileTree): Promise<readonly string[]> {
  return await doing("reading the bound images", async () => {
    const images: string[] = [];
    for (const name of await tree.readNames(BOUND_IMAGES_DIR)) {
      const path = join(BOUND_IMAGES_DIR, name);
      if ((await tree.readLink(path)) === undefined) {
        throw new BootcError(`Not a symlink: /${path}`);
      }
      images.push(
        await doing(`\`/${path}\``, async () => parseBoundImage(name, await tree.readText(path))),
      );
    }
    return [...new Set(images)];
  });
}

export interface BindingCommit {
  /** The physical root. */
  readonly sysroot: string;
  readonly repo: string;
  readonly commit: string;
  /** The system whose SELinux policy labels the files; undefined: nothing is labelled. */
  readonly policyRoot: string | undefined;
}

/** Fetches what a commit binds and the machine does not have. A tag that has moved is not followed. */
export async function fetchBoundImages(ctx: Context, binding: BindingCommit): Promise<void> {
  const names = await readCommittedBoundImages(binding.repo, binding.commit);
  await storeImages(ctx, await readMissing(binding.sysroot, names), {
    sysroot: binding.sysroot,
    verb: "Fetching",
    sourceOf: (name) => remoteSource(ctx, name),
    finishNew: async (dir) => {
      if (binding.policyRoot !== undefined) await labelStorage(ctx, binding.policyRoot, dir);
    },
  });
}

/** A registry, with the credentials of ostree's images and the policy of this machine. */
export async function remoteSource(ctx: Context, name: string): Promise<StorageCopy["source"]> {
  const authFile = await readAuthFile(ctx);
  const userAgent = await readUserAgent(ctx);
  return {
    image: canonicalizeReference({ transport: "registry", name }),
    access: { userAgent, ...(authFile === undefined ? { isAnonymous: true } : { authFile }) },
    policyFile: await requirePolicyFile(ctx),
  };
}

/** Removes images that no deployment binds or follows from a machine's storage; returns how many. */
export async function removeUnboundImages(
  ctx: Context,
  { sysroot, repo }: Pick<BindingCommit, "sysroot" | "repo">,
): Promise<number> {
  const wanted: string[] = [];
  // A deployment that nothing boots any more does no harm here.
  for (const { commit, originFile } of await listDeploymentsOnDisk(sysroot)) {
    wanted.push(...(await readCommittedBoundImages(repo, commit)));
    const origin = (await readFileIfAny(originFile)) ?? "";
    wanted.push(...followedImage(origin).map((it) => parseImageReference(it).name));
  }
  return (await removeUnbound(ctx, sysroot, wanted)).length;
}
