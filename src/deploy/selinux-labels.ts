// Labels for files that are not part of an image: those beside deployments, and those in their /etc.
import { lstat, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { doing } from "../errors.ts";
import {
  findUnlabelled,
  type PolicyPath,
  readPolicyLabels,
  setLabels,
} from "../programs/selinux.ts";
import type { Context } from "../system/context.ts";
import { exists } from "../system/files.ts";

/** A file, and the path by which the policy labels it. */
export interface LabelledFile extends PolicyPath {
  readonly file: string;
}

/** Labels files by the policy of the system at `policyRoot`; files without a rule stay as they are. */
export async function labelFiles(
  ctx: Context,
  policyRoot: string,
  files: readonly LabelledFile[],
): Promise<void> {
  await doing("labelling files for SELinux", async () => {
    // Many files may share one path of the policy.
    const paths = [...new Map(files.map((it) => [it.path, it])).values()];
    const labels = await readPolicyLabels(ctx, policyRoot, paths);
    await setLabels(
      ctx,
      files.flatMap(({ file, path }) => {
        const label = labels.get(path);
        return label === undefined ? [] : [{ file, label }];
      }),
    );
  });
}

export interface ListedTree {
  readonly top: string;
  /** The path by which the policy labels the top. */
  readonly path: string;
  /** Maps a path to the one that labels it; undefined leaves it out with everything below. */
  readonly mapPath?: (path: string) => string | undefined;
}

/** A directory and everything below it on the same file system. */
export async function listTree({ top, path, mapPath = (it) => it }: ListedTree) {
  const files: LabelledFile[] = [];
  const { dev } = await lstat(top);
  const walk = async (file: string, at: string): Promise<void> => {
    const as = mapPath(at);
    if (as === undefined) return;
    const found = await lstat(file);
    if (found.dev !== dev) return;
    const kind = found.isDirectory() ? "directory" : found.isSymbolicLink() ? "link" : "file";
    files.push({ file, path: as, kind });
    if (kind !== "directory") return;
    for (const name of await readdir(file)) await walk(join(file, name), join(at, name));
  };
  await walk(top, path);
  return files;
}

/**
 * Labels everything without a label in the `/etc` of a deployment by the deployment's own policy: where
 * SELinux is off, older versions of ostree do not label directories and symbolic links. Labels stay.
 */
export async function labelEtc(ctx: Context, deployment: string): Promise<void> {
  if (!(await exists(join(deployment, "etc/selinux/config")))) return;
  const files = await listTree({ top: join(deployment, "etc"), path: "etc" });
  const unlabelled = await findUnlabelled(
    ctx,
    files.map((it) => it.file),
  );
  const left = files.filter((it) => unlabelled.has(it.file));
  if (left.length > 0) await labelFiles(ctx, deployment, left);
}

/** Policies know a container storage only by the place of podman's own. */
const PODMAN_STORAGE = "var/lib/containers/storage";
/** Marks a labelled storage; files written later inherit the labels of their directories. */
const STAMP = ".bootc_labeled";

/** Labels a new container storage as podman's own. */
export async function labelStorage(ctx: Context, policyRoot: string, dir: string): Promise<void> {
  await writeFile(join(dir, STAMP), "");
  await labelFiles(ctx, policyRoot, await listTree({ top: dir, path: PODMAN_STORAGE }));
}
