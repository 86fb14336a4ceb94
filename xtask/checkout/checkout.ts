// The version of this checkout, read once from git and passed down; the commit's time is the only clock.
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { BootcError } from "../../src/errors.ts";
import { ifMissing } from "../../src/system/files.ts";
import { ensurePrograms } from "../checks/requirements.ts";
import type { Tree } from "../task.ts";
import { readGit } from "./git.ts";
import { readPackageJson } from "./package-json.ts";
import { judgeUntagged, type Untagged } from "./untagged.ts";

/** What a package says about its origin. */
export interface Checkout {
  /** The package's version in RPM's notation: `2.0.0`, `2.0.0~rc.1`, `2.0.0^20261123140201.g0123456789`. */
  readonly version: string;
  /** Name of source archives without suffix, like `git describe`: `bootc-2.0.0-4-g0123456789`. */
  readonly archiveName: string;
  /** The commit's full hash. */
  readonly commit: string;
  /** The committer's time in seconds since 1970: the only clock that reaches anything we make. */
  readonly commitEpoch: number;
  /** The tree-ish that `git archive` packs: the commit, or a tree with the uncommitted changes. */
  readonly treeish: string;
  readonly isDirty: boolean;
  /** False in an unpacked source archive, which has no history. */
  readonly isRepository: boolean;
}

/** The nearest release tag below a commit, and the number of commits in between. */
export interface NearestTag {
  readonly name: string;
  readonly distance: number;
}

/** A source archive contains this file instead of a git repository. */
export const VERSION_FILE = "VERSION";

/** `v2.0.0`, `v2.0.0-rc.1`; other tags do not count. */
export const RELEASE_TAG = /^v(\d+\.\d+\.\d+)(?:-rc\.(\d+))?$/;
/** Fixed, because git's own abbreviation grows with the number of objects a clone happens to hold. */
const HASH_DIGITS = 10;

export interface CheckoutOptions {
  /** Packs uncommitted changes and marks the version, instead of failing. */
  readonly allowDirty?: boolean;
  /** What to do in a clone that lacks release tags; by default, warn. */
  readonly untagged?: Untagged;
}

/** Reads version and commit. In a shallow clone, fetches the history first. */
export async function readCheckout(
  tree: Tree,
  { allowDirty = false, untagged = "tell" }: CheckoutOptions = {},
): Promise<Checkout> {
  if (!existsSync(join(tree.top, ".git"))) return await readVersionFile(tree.top);
  await ensurePrograms(tree, ["git"]);
  const { commit, commitEpoch } = await readCommit(tree);
  const changes = await readChanges(tree);
  if (changes.length > 0 && !allowDirty) throw dirtyError(changes);
  const isDirty = changes.length > 0;
  const tag = await readNearestTag(tree);
  await judgeUntagged(tree, untagged, { tag: tag?.name, isRelease: (it) => RELEASE_TAG.test(it) });
  const described = {
    packageVersion: (await readPackageJson(tree.top)).version,
    tag,
    commit,
    commitEpoch,
  };
  warnOfDisagreement(tree, described);
  return {
    version: formatVersion({ ...described, isDirty }),
    archiveName: formatArchiveName({ ...described, isDirty }),
    commit,
    commitEpoch,
    treeish: isDirty ? await writeDirtyTree(tree) : commit,
    isDirty,
    isRepository: true,
  };
}

export interface Described {
  readonly packageVersion: string;
  readonly tag: NearestTag | undefined;
  readonly commit: string;
  readonly commitEpoch: number;
  readonly isDirty: boolean;
}

/** RPM sorts `~` below and `^` above the version before it, so a snapshot lies between two releases. */
export function formatVersion({
  packageVersion,
  tag,
  commit,
  commitEpoch,
  isDirty,
}: Described): string {
  const at = `${formatTimestamp(commitEpoch)}.g${commit.slice(0, HASH_DIGITS)}`;
  const snapshot = isDirty ? `${at}.dirty` : at;
  if (tag === undefined) return `${requireBase(packageVersion)}~0.${snapshot}`;
  const released = formatReleasedVersion(tag.name);
  return tag.distance === 0 && !isDirty ? released : `${released}^${snapshot}`;
}

/** Only plain characters: `^` and `~` are awkward in URLs, and release pages rename them. */
export function formatArchiveName({ packageVersion, tag, commit, isDirty }: Described): string {
  const hash = `g${commit.slice(0, HASH_DIGITS)}`;
  const suffix = isDirty ? "-dirty" : "";
  if (tag === undefined) return `bootc-${requireBase(packageVersion)}-0-${hash}${suffix}`;
  const name = `bootc-${tag.name.slice(1)}`;
  return tag.distance === 0 ? `${name}${suffix}` : `${name}-${tag.distance}-${hash}${suffix}`;
}

/** The text of the file that replaces git in builds from an archive. */
export function formatVersionFile(checkout: Checkout): string {
  const { version, archiveName, commit, commitEpoch } = checkout;
  return `version ${version}\narchive ${archiveName}\ncommit ${commit}\ncommitted ${commitEpoch}\n`;
}

/** The inverse of `formatVersionFile`. Fails on a missing or malformed line. */
export function parseVersionFile(text: string): Checkout {
  const lines = text.split("\n");
  const requireValue = (key: string, shape: RegExp): string => {
    const value = lines.find((it) => it.startsWith(`${key} `))?.slice(key.length + 1);
    if (value !== undefined && shape.test(value)) return value;
    throw new BootcError(`\`${VERSION_FILE}\` has no valid \`${key}\``, {
      hint: "unpack the source archive again",
    });
  };
  const version = requireValue("version", /^\d+\.\d+\.\d+[~^.\w]*$/);
  const commit = requireValue("commit", /^[0-9a-f]{40,64}$/);
  return {
    version,
    archiveName: requireValue("archive", /^bootc-[\w.-]+$/),
    commit,
    commitEpoch: Number(requireValue("committed", /^\d+$/)),
    treeish: commit,
    isDirty: version.endsWith(".dirty"),
    isRepository: false,
  };
}

async function readVersionFile(top: string): Promise<Checkout> {
  const text = await readFile(join(top, VERSION_FILE), "utf8").catch(ifMissing(undefined));
  if (text !== undefined) return parseVersionFile(text);
  throw new BootcError(`\`${top}\` is neither a git repository nor an unpacked source archive`, {
    hint: "work in a clone made by `git clone`",
  });
}

async function readCommit(tree: Tree): Promise<Pick<Checkout, "commit" | "commitEpoch">> {
  const head = await readGit(tree, ["rev-parse", "--verify", "--quiet", "HEAD^{commit}"], {
    okStatuses: [0, 1],
  });
  if (head === "") {
    throw new BootcError("the repository has no commit yet", {
      hint: "commit first: only committed files are packaged",
    });
  }
  const shown = await readGit(tree, ["show", "--no-patch", "--format=%H %ct", "HEAD"]);
  const [commit = "", epoch = ""] = shown.split(" ");
  return { commit, commitEpoch: Number(epoch) };
}

/** Tracked files that differ from the commit. */
async function readChanges(tree: Tree): Promise<readonly string[]> {
  const status = await readGit(tree, ["status", "--porcelain", "--untracked-files=no"]);
  return status === "" ? [] : status.split("\n").map((it) => it.slice(3));
}

function dirtyError(changes: readonly string[]): BootcError {
  const more = changes.length > 3 ? ` and ${changes.length - 3} more` : "";
  const named = changes.slice(0, 3).map((it) => `\`${it}\``);
  return new BootcError(`uncommitted changes in ${named.join(", ")}${more}`, {
    hint: "commit them, or pass --allow-dirty to package them with a version that says so",
  });
}

/** Writes a tree object of the working copy; branches, index and stash list stay as they are. */
async function writeDirtyTree(tree: Tree): Promise<string> {
  const me = { NAME: "xtask", EMAIL: "xtask@localhost" };
  const env = {
    ...Object.fromEntries(
      ["AUTHOR", "COMMITTER"].flatMap((who) =>
        Object.entries(me).map(([key, value]) => [`GIT_${who}_${key}`, value]),
      ),
    ),
  };
  const made = await readGit(tree, ["stash", "create"], { env });
  return await readGit(tree, ["rev-parse", `${made}^{tree}`]);
}

async function readNearestTag(tree: Tree): Promise<NearestTag | undefined> {
  const failure = await deepen(tree);
  const found = await findNearestTag(tree);
  if (found !== undefined || failure === undefined) return found;
  throw new BootcError("this shallow clone does not reach a release tag", {
    cause: failure,
    hint: "run `git fetch --unshallow --tags`, or clone without `--depth`",
  });
}

/** Fetches the history a shallow clone lacks, which version and changelog need. Returns the error, if any. */
async function deepen(tree: Tree): Promise<unknown> {
  if ((await readGit(tree, ["rev-parse", "--is-shallow-repository"])) !== "true") return undefined;
  tree.ctx.note("fetching the history of this shallow clone");
  try {
    await readGit(tree, ["fetch", "--quiet", "--unshallow", "--tags"]);
    return undefined;
  } catch (error) {
    tree.ctx.signal.throwIfAborted();
    return error;
  }
}

async function findNearestTag(tree: Tree): Promise<NearestTag | undefined> {
  const tags = releaseTags(await readGit(tree, ["tag", "--merged", "HEAD", "--list", "v*"]));
  if (tags.length === 0) return undefined;
  const described = await readGit(tree, [
    "describe",
    "--tags",
    "--long",
    "--abbrev=40",
    ...tags.map((it) => `--match=${it}`),
  ]);
  const [, name = "", distance] = /^(.+)-(\d+)-g[0-9a-f]+$/.exec(described) ?? [];
  // One commit may be both a release candidate and the release.
  const same = releaseTags(await readGit(tree, ["tag", "--points-at", `${name}^{commit}`]));
  return { name: (await sortTags(same)).at(-1) ?? name, distance: Number(distance) };
}

function releaseTags(listed: string): readonly string[] {
  return listed.split("\n").filter((it) => RELEASE_TAG.test(it));
}

/** By version, a release after its candidates. Loaded late: a build without network has no semver. */
export async function sortTags(tags: readonly string[]): Promise<readonly string[]> {
  const { default: semver } = await import("semver");
  return semver.sort([...tags]);
}

/** A release tag as the package's version: `v2.0.0-rc.1` becomes `2.0.0~rc.1`. */
export function formatReleasedVersion(tag: string): string {
  const [, base = "", candidate] = RELEASE_TAG.exec(tag) ?? [];
  return candidate === undefined ? base : `${base}~rc.${candidate}`;
}

function requireBase(packageVersion: string): string {
  const base = /^(\d+\.\d+\.\d+)(?:-rc\.\d+)?$/.exec(packageVersion)?.[1];
  if (base !== undefined) return base;
  throw new BootcError(`\`${packageVersion}\` in package.json is not a valid version`, {
    hint: "write X.Y.Z or X.Y.Z-rc.N",
  });
}

function warnOfDisagreement(
  { ctx }: Tree,
  { packageVersion, tag }: Pick<Described, "packageVersion" | "tag">,
) {
  if (tag?.distance !== 0) return;
  const [, base] = RELEASE_TAG.exec(tag.name) ?? [];
  if (base === requireBase(packageVersion)) return;
  ctx.note(`warning: the tag \`${tag.name}\` overrides \`${packageVersion}\` of package.json`);
}

function formatTimestamp(epoch: number): string {
  return new Date(epoch * 1000).toISOString().slice(0, 19).replace(/[-T:]/g, "");
}
