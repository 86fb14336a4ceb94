// How the derived layers of an image are imported: what its base says about paths and labels.
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { checkout } from "../../programs/ostree/repo.ts";
import { readOstree } from "../../programs/ostree/version.ts";
import { makeWorkDirectory } from "../../repository/scratch.ts";
import { openCommit } from "../../repository/tree.ts";
import { isRootWritable, readPrepareRoot } from "../../sysroot/prepare-root.ts";
import type { Context } from "../../system/context.ts";
import type { LabelOf } from "../store/sink.ts";
import type { LayerFilter } from "./placement.ts";

export interface DerivedSettings {
  readonly filter: LayerFilter;
  /** Give it to `importLayer`; remove it by `release` when all layers are in. */
  readonly selinuxPolicyDir: string | undefined;
  /** The labels of that policy; undefined where they cannot be looked up, and ostree does it. */
  readonly labelOf?: LabelOf | undefined;
  release(): Promise<void>;
}

export interface SettingsSource {
  readonly repo: string;
  /** The commit of the image's ostree base; none for an image of derived layers alone. */
  readonly baseCommit?: string | undefined;
  /** Whose SELinux policy labels such an image's layers: on a booted host the booted deployment's commit. */
  readonly policyCommit?: string | undefined;
}

/** Reads `prepare-root.conf` of the base commit, and checks out the SELinux policy that labels layers. */
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
  const work =
    policyCommit === undefined ? undefined : await checkOutPolicy(ctx, repo, policyCommit);
  return {
    filter,
    selinuxPolicyDir: work,
    async release() {
      if (work !== undefined) await rm(work, { recursive: true, force: true });
    },
  };
}

/** As upstream, by an `etc` of the commit and not by its `usr/etc`: layers have to come out the same. */
async function allowsNonUsr(repo: string, commit: string): Promise<boolean> {
  const prepareRoot = await readPrepareRoot(await openCommit(repo, commit, { etc: "as stored" }));
  return prepareRoot !== undefined && isRootWritable(prepareRoot);
}

/** The policy as a directory of its own; undefined where the commit has none. */
async function checkOutPolicy(
  ctx: Context,
  repo: string,
  commit: string,
): Promise<string | undefined> {
  const tree = await openCommit(repo, commit);
  if ((await tree.find("usr/etc/selinux/config"))?.kind !== "file") return undefined;
  const work = await makeWorkDirectory(repo);
  await mkdir(join(work, "usr/etc"), { recursive: true });
  const args = ["--user-mode", "--subpath=/usr/etc/selinux"];
  await checkout(ctx, { repo, commit, directory: join(work, "usr/etc/selinux"), args });
  return work;
}
