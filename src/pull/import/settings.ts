// How the derived layers of an image are imported: what its base says about paths and labels.
import { constants } from "node:fs";
import { rm } from "node:fs/promises";
import { readOstree } from "../../programs/ostree/version.ts";
import { makeWorkDirectory } from "../../repository/scratch.ts";
import { openCommit } from "../../repository/tree.ts";
import { isRootWritable, readPrepareRoot } from "../../sysroot/prepare-root.ts";
import type { Context } from "../../system/context.ts";
import type { LabelSource } from "../labels/lookups.ts";
import { type ImagePolicy, readPolicy } from "../labels/policy.ts";
import { writePolicyFolder } from "../labels/policy-folder.ts";
import type { LabelOf } from "../store/sink.ts";
import type { LayerFilter } from "./placement.ts";

export interface DerivedSettings {
  readonly filter: LayerFilter;
  /** For ostree to label by, if we cannot; remove it by `release` when all layers are in. */
  readonly selinuxPolicyDir: string | undefined;
  /**
   * The labels of that policy, and that of new files for whatever gets none from it. Undefined where they
   * cannot be looked up, and ostree does it.
   */
  readonly labelOf?: LabelOf | undefined;
  release(): Promise<void>;
}

export interface SettingsSource {
  readonly repo: string;
  /** The commit of the image's ostree base; none for an image of derived layers alone. */
  readonly baseCommit?: string | undefined;
  /** Whose SELinux policy labels such an image's layers: on a booted host the booted deployment's commit. */
  readonly policyCommit?: string | undefined;
  readonly labels?: LabelSource | undefined;
  /** Whether layers are written by ostree, which then applies the policy as well. */
  readonly isByOstree?: boolean;
}

/** Reads `prepare-root.conf` of the base commit, and opens the SELinux policy that labels layers. */
export async function readDerivedSettings(
  ctx: Context,
  source: SettingsSource,
): Promise<DerivedSettings> {
  const { repo, baseCommit } = source;
  const { features } = await readOstree(ctx);
  const filter = {
    allowsNonUsr: baseCommit === undefined || (await allowsNonUsr(repo, baseCommit)),
    retainsVar: features.has("initial-var"),
  };
  const policyCommit = baseCommit ?? source.policyCommit;
  const tree = policyCommit === undefined ? undefined : await openCommit(repo, policyCommit);
  const policy = tree && (await readPolicy({ repo, tree }));
  const { labels, isByOstree = false } = source;
  if (policyCommit === undefined || policy === undefined) {
    return { filter, ...NO_POLICY, labelOf: await labels?.ofNewFiles() };
  }
  const labelOf = isByOstree ? undefined : await labels?.open(policy);
  if (labelOf !== undefined) {
    return { filter, ...NO_POLICY, labelOf: orElse(labelOf, await labels?.ofNewFiles()) };
  }
  return { filter, ...(await layOutPolicy(repo, policy)) };
}

/**
 * A file that has no label by the policy (`<<none>>`) is labelled by the kernel nevertheless. Directories are
 * not files in the repository, and a deployment makes them without a label, as ostree would.
 */
function orElse(labelOf: LabelOf, ofNewFiles: LabelOf | undefined): LabelOf {
  if (ofNewFiles === undefined) return labelOf;
  return (path, mode) => {
    const label = labelOf(path, mode);
    return label === undefined && !isDirectory(mode) ? ofNewFiles(path, mode) : label;
  };
}

function isDirectory(mode: number): boolean {
  return (mode & constants.S_IFMT) === constants.S_IFDIR;
}

async function layOutPolicy(repo: string, policy: ImagePolicy) {
  const work = await makeWorkDirectory(repo);
  const release = async () => {
    await rm(work, { recursive: true, force: true });
  };
  try {
    await writePolicyFolder(work, policy);
  } catch (error) {
    await release();
    throw error;
  }
  return { selinuxPolicyDir: work, release };
}

const NO_POLICY = { selinuxPolicyDir: undefined, release: async () => {} };

/** Reads `etc` of the commit and not `usr/etc`, as upstream does: both have to import the same layers. */
async function allowsNonUsr(repo: string, commit: string): Promise<boolean> {
  const prepareRoot = await readPrepareRoot(await openCommit(repo, commit, { etc: "as stored" }));
  return prepareRoot !== undefined && isRootWritable(prepareRoot);
}
