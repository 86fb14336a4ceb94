// Where a host stands, read from ostree's files: no lock, no process, no need to be root.
// One odd deployment is shown as such and does not stand in the way of the others.
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { BootcError, explainError } from "../errors.ts";
import type { Deployment, Sysroot, Unlocked, UnreadableEntry } from "../host/deployment.ts";
import { type ImageSummary, parseImageSummary } from "../host/image-status.ts";
import { decideSoftRebootObstacle } from "../host/soft-reboot.ts";
import type { OstreeReference } from "../image/reference.ts";
import { objectPath, parseCommit, parseDictionary, textMetadata } from "../ostree/objects.ts";
import { type OriginFile, parseOrigin, replaceOriginImage } from "../ostree/origin.ts";
import { blobRef } from "../ostree/ref-names.ts";
import type { Context } from "../system/context.ts";
import { exists, readBytesIfAny, readFileIfAny, replaceFile } from "../system/files.ts";
import { isOnReadOnlyMedium } from "../system/root/mounts.ts";
import { type BootableDeployment, readBootEntries } from "./boot-entries.ts";
import { type DeploymentOnDisk, listDeploymentsOnDisk } from "./deployments.ts";
import { deploymentDir } from "./paths.ts";
import { softRebootFacts } from "./soft-reboot.ts";
import { readStagedDeployment } from "./staged.ts";

const REPO = "sysroot/ostree/repo";

/** The directory of the system repository, as given to `ostree --repo`. */
export function systemRepo(ctx: Context): string {
  return join(ctx.root, REPO);
}

export async function readSysroot(ctx: Context): Promise<Sysroot> {
  const entries = await readBootEntries(ctx);
  const { staged, oddStaged } = await readStaged(ctx);
  const listed: readonly Listed[] = [
    ...(staged === undefined ? [] : [staged]),
    ...entries.deployments.map((it) => ({ ...it, isStaged: false, isLocked: false })),
  ];
  const seen = await Promise.all(listed.map((it) => readDeployment(ctx, it)));
  const booted = seen.find((it) => it.isBooted);
  return {
    deployments: await Promise.all(seen.map((it) => withSoftReboot(ctx, it, booted))),
    unreadable: [...oddStaged, ...entries.unreadable],
    isReadOnly: await isOnReadOnlyMedium(ctx, "/sysroot"),
    entriesReadAt: entries.readAt,
  };
}

/** The staged deployment; an odd entry when it cannot be read. */
async function readStaged(ctx: Context): Promise<{
  readonly staged: Listed | undefined;
  readonly oddStaged: readonly UnreadableEntry[];
}> {
  try {
    return { staged: await readStagedDeployment(ctx), oddStaged: [] };
  } catch (error) {
    return { staged: undefined, oddStaged: [{ name: "staged", problem: explainError(error) }] };
  }
}

interface Listed extends BootableDeployment {
  readonly isStaged: boolean;
  readonly isLocked: boolean;
}

async function withSoftReboot(
  ctx: Context,
  deployment: Deployment,
  booted: Deployment | undefined,
): Promise<Deployment> {
  try {
    const facts = softRebootFacts(ctx);
    const obstacle = await decideSoftRebootObstacle(booted, deployment, facts);
    return { ...deployment, softRebootObstacle: obstacle };
  } catch (error) {
    const problem = `checking whether it can be soft-rebooted into failed: ${explainError(error)}`;
    const problems = [...deployment.problems, problem];
    return { ...deployment, softRebootObstacle: problem, problems };
  }
}

async function readDeployment(ctx: Context, listed: Listed): Promise<Deployment> {
  const problems: string[] = [];
  const attempt = async <T>(what: string, work: () => Promise<T>, otherwise: T): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      problems.push(`${what}: ${explainError(error)}`);
      return otherwise;
    }
  };
  const [checksum = "", serial = ""] = listed.name.split(".");
  const place = { stateroot: listed.stateroot, checksum, serial: Number(serial) };
  const dir = deploymentDir(ctx, place);
  const origin = await attempt("its origin cannot be read", () => readOrigin(dir), NO_ORIGIN);
  const fromImage = origin.image !== undefined && !origin.isIncompatible;
  const commit = await attempt(
    "its commit cannot be read",
    async () => (fromImage ? await readCommit(ctx, checksum) : undefined),
    undefined,
  );
  const hasBase = await attempt(
    "the ref of its first layer cannot be read",
    async () => commit === undefined || (await hasBaseRef(ctx, commit.content)),
    true,
  );
  if (!hasBase) problems.push("the ref of its first layer is missing");
  return {
    ...place,
    bootChecksum: listed.bootChecksum,
    isStaged: listed.isStaged,
    isBooted: await attempt("its directory cannot be read", () => isBooted(ctx, dir), false),
    isPinned: origin.isPinned,
    isSuperseded: origin.isSuperseded,
    isLocked: listed.isLocked,
    unlocked: await attempt(
      "its overlay cannot be read",
      () => readUnlocked(ctx, listed.name, origin),
      "none",
    ),
    bootOptions: listed.options,
    softRebootObstacle: undefined,
    origin: { image: origin.image, refspec: origin.refspec, isIncompatible: origin.isIncompatible },
    content: commit?.content,
    cachedUpdate: await attempt(
      "the update seen last cannot be read",
      async () => (fromImage ? await readCachedUpdate(ctx, checksum) : undefined),
      undefined,
    ),
    problems,
  };
}

const NO_ORIGIN: OriginFile = {
  image: undefined,
  refspec: undefined,
  isIncompatible: false,
  isPinned: false,
  isSuperseded: false,
  isHotfix: false,
};

async function readOrigin(dir: string): Promise<OriginFile> {
  const text = await readFileIfAny(`${dir}.origin`);
  return text === undefined ? NO_ORIGIN : parseOrigin(text);
}

/** A missing directory is an error. */
async function isBooted(ctx: Context, dir: string): Promise<boolean> {
  const { dev, ino } = await stat(dir, { bigint: true });
  const root = await readBackingRoot(ctx);
  return dev === root.dev && ino === root.ino;
}

/**
 * The directory `/` is made of. Where it is an overlay or composefs, ostree 2024.2 and newer say in
 * /run/ostree-booted which one; the kernel's command line goes stale when boot versions change.
 */
async function readBackingRoot(ctx: Context): Promise<{ dev: bigint; ino: bigint }> {
  const bytes = await readBytesIfAny(join(ctx.root, "run/ostree-booted"));
  const entries = bytes && bytes.length > 0 ? parseDictionary(bytes) : [];
  const variant = entries.find(([key]) => key === "backing-root-device-inode")?.[1];
  if (variant?.type !== "(tt)") return await stat(ctx.root, { bigint: true });
  const [dev, ino] = variant.value as readonly [bigint, bigint];
  return { dev, ino };
}

async function readUnlocked(ctx: Context, name: string, origin: OriginFile): Promise<Unlocked> {
  const dir = join(ctx.root, "run/ostree/deployment-state", name);
  if (await exists(join(dir, "unlocked-development"))) return "development";
  if (await exists(join(dir, "unlocked-transient"))) return "transient";
  return origin.isHotfix ? "hotfix" : "none";
}

async function readCommit(ctx: Context, checksum: string): Promise<{ content: ImageSummary }> {
  const bytes = await readBytesIfAny(join(ctx.root, REPO, objectPath(checksum, "commit")));
  if (bytes === undefined) throw new BootcError("it is missing from the repository");
  const { metadata } = parseCommit(bytes);
  const digest = textMetadata(metadata, "ostree.manifest-digest");
  const manifest = textMetadata(metadata, "ostree.manifest");
  if (digest === undefined || manifest === undefined) {
    throw new BootcError("it does not contain an image manifest");
  }
  const config = textMetadata(metadata, "ostree.container.image-config") ?? "null";
  return { content: parseImageSummary({ digest, manifest, config }) };
}

async function readCachedUpdate(ctx: Context, checksum: string): Promise<ImageSummary | undefined> {
  const bytes = await readBytesIfAny(join(ctx.root, REPO, objectPath(checksum, "commitmeta")));
  const metadata = bytes && bytes.length > 0 ? parseDictionary(bytes) : [];
  const [digest, manifest, config] = ["manifest-digest", "manifest", "config"].map((it) =>
    textMetadata(metadata, `ostree-ext.cached.${it}`),
  );
  if (digest === undefined || manifest === undefined || config === undefined) return undefined;
  return parseImageSummary({ digest, manifest, config });
}

/** Upstream programs refuse a host whose image has lost its first layer. */
async function hasBaseRef(ctx: Context, { layers }: ImageSummary): Promise<boolean> {
  const [base] = layers;
  return (
    base === undefined || (await exists(join(ctx.root, REPO, "refs/heads", blobRef(base.digest))))
  );
}

/**
 * Makes the newest deployment below /sysroot follow another image, without pulling or locking anything: for
 * installers, which do this in a system that is not booted. Returns the deployment's name.
 */
export async function mutateOriginInPlace(ctx: Context, image: OstreeReference): Promise<string> {
  const all = await listDeploymentsOnDisk(join(ctx.root, "sysroot"));
  const newest = await findNewest(all.filter((it) => it.stateroot === all[0]?.stateroot));
  if (newest === undefined) {
    throw new BootcError("`/sysroot/ostree/deploy` does not contain a deployment", {
      kind: "unsupported",
    });
  }
  const text = replaceOriginImage((await readFileIfAny(newest.originFile)) ?? "", image);
  await replaceFile(newest.originFile, text, { mode: 0o644 });
  return newest.name;
}

async function findNewest(
  deployments: readonly DeploymentOnDisk[],
): Promise<DeploymentOnDisk | undefined> {
  const timed = await Promise.all(
    deployments.map(async (it) => ({ ...it, mtimeMs: (await stat(it.dir)).mtimeMs })),
  );
  return timed.sort((a, b) => b.mtimeMs - a.mtimeMs)[0];
}
