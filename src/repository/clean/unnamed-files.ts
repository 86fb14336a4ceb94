// What ostree leaves when it is killed after it wrote a small file and before it gave the file its name.
// Among refs, such a file is a ref, and keeps its commit.
import { closeSync, constants, fstatSync, lstatSync, openSync } from "node:fs";
import { join } from "node:path";
import { errnoOf } from "../../errors.ts";
import { openLibc } from "../../native/libc.ts";
import { CONTAINER_PREFIX, PRIVATE_PREFIX } from "../../ostree/ref-names.ts";
import { listDeployFiles } from "../../sysroot/deployments.ts";
import { removeFileSync } from "../../system/files.ts";
import { DEPLOYMENT_PREFIXES, isUnnamed, listUnnamedRefs } from "../files.ts";

/** Removes such refs of layers and images. While a transaction of ostree is under way, they stay. */
export async function removeUnnamedRefs(repo: string): Promise<void> {
  await removeLocked(
    () => listUnnamedImageRefs(repo),
    () => tryLockFile(join(repo, ".lock"), { mode: 0o660 }),
  );
}

/** The paths of such refs of layers and images. */
export async function listUnnamedImageRefs(repo: string): Promise<readonly string[]> {
  return await listUnnamedRefs(repo, [CONTAINER_PREFIX, PRIVATE_PREFIX]);
}

interface OstreePlaces {
  /** The physical root. */
  readonly sysroot: string;
  readonly repo: string;
}

/** Removes such refs of deployments, and files beside deployments. While ostree is at work, they stay. */
export async function removeUnnamedOfDeployments({ sysroot, repo }: OstreePlaces): Promise<void> {
  const list = async () => {
    const files = (await listDeployFiles(sysroot)).filter((it) => isUnnamed(it.name));
    const refs = await listUnnamedRefs(repo, DEPLOYMENT_PREFIXES);
    // A directory of such a name is not ostree's.
    const paths = files.map(({ dir, name }) => join(dir, name));
    return [...refs, ...paths.filter(isRegularFile)];
  };
  await removeLocked(list, () => tryLockSysroot(sysroot));
}

function isRegularFile(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

interface Lock {
  release(): void;
}

/** Nearly always there is nothing, and then nobody is kept waiting. */
async function removeLocked(
  list: () => Promise<readonly string[]>,
  tryLock: () => Lock | undefined,
): Promise<void> {
  if ((await list()).length === 0) return;
  const lock = tryLock();
  if (lock === undefined) return;
  try {
    for (const path of await list()) removeFileSync(path);
  } finally {
    lock.release();
  }
}

/** As ostree locks a sysroot: it removes the file before it gives up the lock. */
function tryLockSysroot(sysroot: string): Lock | undefined {
  const path = join(sysroot, "ostree/lock");
  const lock = tryLockFile(path, { mode: 0o600 });
  return (
    lock && {
      release() {
        removeFileSync(path);
        lock.release();
      },
    }
  );
}

/** Undefined when another program has the lock, or when locks of this kind are not available. */
function tryLockFile(path: string, { mode }: { readonly mode: number }): Lock | undefined {
  const libc = openLibc();
  if (libc === undefined) return undefined;
  const fd = openSync(path, constants.O_CREAT | constants.O_RDWR | constants.O_NOFOLLOW, mode);
  const release = () => closeSync(fd);
  try {
    // Who had it before may have removed the file meanwhile.
    if (libc.tryLock(fd, "exclusive") && fstatSync(fd).nlink > 0) return { release };
  } catch (error) {
    release();
    if (!NO_LOCKS.includes(errnoOf(error) ?? "")) throw error;
    return undefined;
  }
  release();
  return undefined;
}

/** What file systems answer that do not have such locks. */
const NO_LOCKS = ["ENOLCK", "EINVAL", "ENOSYS", "ENOTSUP", "EOPNOTSUPP"];
