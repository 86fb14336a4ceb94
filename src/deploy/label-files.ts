// Labels files that are not part of an image, by the SELinux policy of one.
import { lstat, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { doing } from "../errors.ts";
import type { FileLabels } from "../native/selabel.ts";
import { setLabels } from "../programs/selinux.ts";
import { openLabelsOf } from "../pull/labels/of-directory.ts";
import type { Context } from "../system/context.ts";

/** A file, and the path by which the policy labels it. */
export interface LabelledFile {
  readonly file: string;
  /** Relative to the root of the policy's system; the root itself is the empty string. */
  readonly path: string;
  readonly kind: keyof typeof TYPES;
}

/** The types of files, as in the modes of stat. */
const TYPES = { directory: 0o040000, file: 0o100000, link: 0o120000 } as const;

/** Labels files by the policy of the system at `policyRoot`; files without a rule stay as they are. */
export async function labelFiles(
  ctx: Context,
  policyRoot: string,
  files: readonly LabelledFile[],
): Promise<void> {
  await doing("labelling files for SELinux", async () => {
    const labels = await openLabelsOf(policyRoot);
    if (labels === undefined) return;
    try {
      await setLabels(ctx, lookUpAll(labels, files));
    } finally {
      labels.close();
    }
  });
}

function lookUpAll(labels: FileLabels, files: readonly LabelledFile[]) {
  // Many files may share one path of the policy.
  const known = new Map<string, string | undefined>();
  return files.flatMap(({ file, path, kind }) => {
    const key = `${kind}/${path}`;
    if (!known.has(key)) known.set(key, labels.lookUp(`/${path}`, TYPES[kind]));
    const label = known.get(key);
    return label === undefined ? [] : [{ file, label }];
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

/** Policies know a container storage only by the place of podman's own. */
const PODMAN_STORAGE = "var/lib/containers/storage";
/** Marks a labelled storage; files written later inherit the labels of their directories. */
const STAMP = ".bootc_labeled";

/** Labels a new container storage as podman's own. */
export async function labelStorage(ctx: Context, policyRoot: string, dir: string): Promise<void> {
  await writeFile(join(dir, STAMP), "");
  await labelFiles(ctx, policyRoot, await listTree({ top: dir, path: PODMAN_STORAGE }));
}
