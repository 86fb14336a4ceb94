// Labels for files that no image carries: what the machine keeps outside its deployments, and beside them.
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

/** A file, and what the policy is to take it for. */
export interface LabelledFile extends PolicyPath {
  readonly file: string;
}

/** Labels files by the policy of the system at `policyRoot`; those it has no rule for stay as they are. */
export async function labelFiles(
  ctx: Context,
  policyRoot: string,
  files: readonly LabelledFile[],
): Promise<void> {
  await doing("labelling files for SELinux", async () => {
    // Many files may stand for one path of the policy.
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
  /** What the policy is to take the top for. */
  readonly path: string;
  /** What is taken for something else, or left out with all that is below it. */
  readonly mapPath?: (path: string) => string | undefined;
}

/** A directory and everything below it on the same file system. */
export async function listTree({ top, path, mapPath = (it) => it }: ListedTree) {
  const files: LabelledFile[] = [];
  const { dev } = await lstat(top);
  const walk = async (file: string, at: string): Promise<void> => {
    const as = mapPath(at);
    if (as === undefined) return;
    const it = await lstat(file);
    if (it.dev !== dev) return;
    const kind = it.isDirectory() ? "directory" : it.isSymbolicLink() ? "link" : "file";
    files.push({ file, path: as, kind });
    if (kind !== "directory") return;
    for (const name of await readdir(file)) await walk(join(file, name), join(at, name));
  };
  await walk(top, path);
  return files;
}

/**
 * Labels by its own policy what has no label in the `/etc` of a deployment: where SELinux is off, older
 * versions of ostree leave the directories and symbolic links there without. Labels that are there stay.
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

/** What the policies of container tools say about a storage goes by where podman has its own. */
const PODMAN_STORAGE = "var/lib/containers/storage";
/** Says that a storage was labelled; what is written into it later takes after its directories. */
const STAMP = ".bootc_labeled";

/** Labels a new container storage as podman's own. */
export async function labelStorage(ctx: Context, policyRoot: string, dir: string): Promise<void> {
  await writeFile(join(dir, STAMP), "");
  await labelFiles(ctx, policyRoot, await listTree({ top: dir, path: PODMAN_STORAGE }));
}
