// An ostree repository's files, read without a process or a lock: refs, commits, directories.
//
// The tiny ones are read synchronously: a pull asks for some thousands, one after another, and each costs
// more when it goes to a thread and back than the reading does.
import {
  closeSync,
  constants,
  createReadStream,
  type Dirent,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
} from "node:fs";
import { lstat, readFile } from "node:fs/promises";
import { join } from "node:path";
import { inflateRawSync } from "node:zlib";
import { BootcError, errnoOf } from "../errors.ts";
import { CHECKSUM, type Commit, objectPath, parseCommit } from "../ostree/objects.ts";
import { exists, ifNoFile, isMissing } from "../system/files.ts";

/** Refuses a directory that is not an ostree repository, before anything reads or writes in it. */
export async function requireRepository(repo: string): Promise<void> {
  const marks = await Promise.all(["config", "objects"].map((it) => exists(join(repo, it))));
  if (marks.every((it) => it)) return;
  const sysroot = /^(.*)\/ostree\/repo$/.exec(repo)?.[1];
  const make =
    sysroot === undefined ? `ostree init --repo=${repo}` : `ostree admin init-fs ${sysroot || "/"}`;
  throw new BootcError(`\`${repo}\` is not an ostree repository`, {
    kind: "usage",
    hint: `\`${make}\` makes one`,
  });
}

/** The full names of all local refs below `prefix` (`ostree/container/image`), sorted. */
export async function listRefs(repo: string, prefix: string): Promise<readonly string[]> {
  const top = join(repo, "refs/heads");
  return refFilesBelow(join(top, prefix))
    .filter((it) => !isUnnamed(it.name))
    .map((it) => join(it.parentPath, it.name).slice(top.length + 1))
    .sort();
}

/** Whether ostree has drawn the name of a file at random, to which it gives its own name next. */
export function isUnnamed(name: string): boolean {
  return /^tmp\.[A-Za-z0-9]{6}$/.test(name);
}

/** The paths of refs below `prefixes` that have no name yet. */
export async function listUnnamedRefs(
  repo: string,
  prefixes: readonly string[],
): Promise<readonly string[]> {
  return prefixes
    .flatMap((it) => refFilesBelow(join(repo, "refs/heads", it)))
    .filter((it) => isUnnamed(it.name))
    .map((it) => join(it.parentPath, it.name));
}

function refFilesBelow(path: string): readonly Dirent[] {
  return entriesBelow(path).filter((it) => it.isFile() || it.isSymbolicLink());
}

/** Read synchronously, as small files are: a look that finds nothing new needs no threads. */
function entriesBelow(path: string): readonly Dirent[] {
  try {
    return readdirSync(path, { recursive: true, withFileTypes: true });
  } catch (error) {
    return ifNoFile([])(error);
  }
}

/** Below these, ostree keeps the refs of a sysroot's deployments. */
export const DEPLOYMENT_PREFIXES: readonly string[] = ["ostree/0", "ostree/1"];

/** The refs that ostree keeps for the deployments of a sysroot: one for each commit, none elsewhere. */
export async function listDeploymentRefs(repo: string): Promise<readonly string[]> {
  return (await Promise.all(DEPLOYMENT_PREFIXES.map((it) => listRefs(repo, it)))).flat();
}

/** The commit `ref` points to; undefined when there is no such ref. */
export async function readRef(repo: string, ref: string): Promise<string | undefined> {
  const bytes = readSmallFile(join(repo, "refs/heads", ref));
  if (bytes === undefined) return undefined;
  const commit = bytes.toString().trim();
  if (!CHECKSUM.test(commit)) {
    throw new BootcError(`the ref \`${ref}\` is damaged`, {
      kind: "integrity",
      hint: `delete the file \`${join(repo, "refs/heads", ref)}\`; what it named is fetched again`,
    });
  }
  return commit;
}

/** The commit object; undefined when the repository does not have it. */
export async function readCommit(repo: string, commit: string): Promise<Commit | undefined> {
  const bytes = readSmallFile(join(repo, objectPath(commit, "commit")));
  return bytes === undefined ? undefined : parseCommit(bytes);
}

/** The commit object, which must exist. */
export async function requireCommit(repo: string, commit: string): Promise<Commit> {
  const found = await readCommit(repo, commit);
  if (found !== undefined) return found;
  throw new BootcError(`the commit \`${commit}\` is not in the repository \`${repo}\``, {
    kind: "integrity",
  });
}

/** Detached metadata as stored; undefined when there is none. */
export async function readDetached(repo: string, commit: string): Promise<Buffer | undefined> {
  return readSmallFile(join(repo, objectPath(commit, "commitmeta")));
}

/** Content length of a file object; undefined for a symbolic link. */
export async function readFileSize(repo: string, checksum: string): Promise<number | undefined> {
  const loose = await lstat(join(repo, objectPath(checksum, "file"))).catch(ifNoFile(undefined));
  if (loose !== undefined) return loose.isFile() ? loose.size : undefined;
  return await readArchivedSize(join(repo, objectPath(checksum, "filez")));
}

/** The whole content of a file object that is not a symbolic link; for small files. */
export async function readFileContent(repo: string, checksum: string): Promise<Buffer> {
  const flag = constants.O_RDONLY | constants.O_NOFOLLOW;
  const path = join(repo, objectPath(checksum, "file"));
  const loose = await readFile(path, { flag }).catch(ifNoFile(undefined));
  if (loose !== undefined) return loose;
  const archived = await readFile(join(repo, objectPath(checksum, "filez")));
  return inflateRawSync(archived.subarray(8 + archived.readUInt32BE(0)));
}

/**
 * An archive repository puts its header in front: length of the header (4 bytes big-endian), 4 zero bytes,
 * `(tuuuusa(ayay))`: size, uid, gid, mode, all big-endian.
 */
async function readArchivedSize(path: string): Promise<number | undefined> {
  const pieces: Buffer[] = [];
  for await (const piece of createReadStream(path, { start: 8, end: 8 + 19 })) pieces.push(piece);
  const header = Buffer.concat(pieces);
  if (header.length < 20) throw new BootcError(`\`${path}\` is damaged`, { kind: "integrity" });
  const isRegular = (header.readUInt32BE(16) & 0o170000) === 0o100000;
  return isRegular ? Number(header.readBigUInt64BE(0)) : undefined;
}

/** Where a symbolic link of the repository leads; undefined when it is missing, or not a link. */
export function readLinkTarget(repo: string, checksum: string): string | undefined {
  try {
    return readlinkSync(join(repo, objectPath(checksum, "file")));
  } catch (error) {
    if (errnoOf(error) === "EINVAL") return undefined;
    if (!isMissing(error)) throw error;
  }
  return readArchivedTarget(join(repo, objectPath(checksum, "filez")));
}

/** After size, uid, gid, mode and device, the header of an archived object has the target and a zero. */
function readArchivedTarget(path: string): string | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(path, "r");
  } catch (error) {
    return ifNoFile(undefined)(error);
  }
  try {
    const start = Buffer.alloc(8 + 24 + 4096);
    const header = start.subarray(8, readSync(descriptor, start, 0, start.length, 0));
    const isLink = header.length > 24 && (header.readUInt32BE(16) & 0o170000) === 0o120000;
    return isLink ? header.toString("utf8", 24, header.indexOf(0, 24)) : undefined;
  } finally {
    closeSync(descriptor);
  }
}

function readSmallFile(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    return ifNoFile(undefined)(error);
  }
}
