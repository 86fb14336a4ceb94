// How the derived layers of an image are imported: what its base says about paths and labels.
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { keyfileFlag, keyfileValue, parseKeyfile } from "../../ostree/keyfile.ts";
import { checkout, readOstreeFeatures } from "../../programs/ostree/repo.ts";
import { makeWorkDirectory } from "../../repository/scratch.ts";
import { openCommit } from "../../repository/tree.ts";
import type { Context } from "../../system/context.ts";
import type { LayerFilter } from "./placement.ts";

export interface DerivedSettings {
  readonly filter: LayerFilter;
  /** Give it to `importLayer`; remove it by `release` when all layers are in. */
  readonly selinuxPolicyDir: string | undefined;
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
  const { features } = await readOstreeFeatures(ctx);
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

const PREPARE_ROOT = ["etc/ostree/prepare-root.conf", "usr/lib/ostree/prepare-root.conf"];
const COMPOSEFS_ON = new Set(["yes", "true", "1", "maybe", "signed", "verity"]);

async function allowsNonUsr(repo: string, commit: string): Promise<boolean> {
  const tree = await openCommit(repo, commit, { etc: "as stored" });
  for (const path of PREPARE_ROOT) {
    const text = await tree.readTextIfAny(path);
    if (text !== undefined) return isRootWritable(text);
  }
  return false;
}

/** Whether prepare-root.conf gives directories other than /usr, /etc and /var a place at run time. */
export function isRootWritable(prepareRootConf: string): boolean {
  const keyfile = parseKeyfile(prepareRootConf);
  const composefs = keyfileValue(keyfile, "composefs", "enabled") ?? "";
  return keyfileFlag(keyfile, "root", "transient") === true || COMPOSEFS_ON.has(composefs);
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
