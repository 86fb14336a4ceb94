// SELinux labels of a new machine: the image labelled what is in it, the rest is labelled here by its policy.
import { lstat, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import {
  type LabelledFile,
  labelEtc,
  labelFiles,
  labelStorage,
  listTree,
} from "../deploy/selinux-labels.ts";
import type { Context } from "../system/context.ts";
import { exists } from "../system/files.ts";

export interface LabelRequest {
  /** The physical root. */
  readonly root: string;
  readonly deployment: string;
  /** What was written into the deployment, relative to its top. */
  readonly written: readonly string[];
}

/** Type of FAT in statfs(2). It has no place for labels. */
const FAT = 0x4d44;

/** Labels the physical root, `/boot`, `/ostree`, and what has no label in the deployment; not the ESP. */
export async function labelMachine(ctx: Context, it: LabelRequest): Promise<void> {
  const { root, deployment } = it;
  const boot = join(root, "boot");
  const hasBoot = (await exists(boot)) && (await statfs(boot)).type !== FAT;
  await labelFiles(ctx, deployment, [
    ...(await listTop(root)),
    ...(hasBoot ? await listBoot(boot) : []),
    ...(await listTree({ top: join(root, "ostree"), path: "ostree", mapPath: mapOstree })),
    ...(await listWritten(it)),
  ]);
  await labelEtc(ctx, deployment);
  const storage = join(root, "ostree/bootc/storage");
  if (await exists(storage)) await labelStorage(ctx, deployment, storage);
}

/** The root itself, and what is ours there; a system that was installed over keeps its own labels. */
async function listTop(root: string): Promise<readonly LabelledFile[]> {
  const files: LabelledFile[] = [{ file: root, path: "", kind: "directory" }];
  for (const path of ["lost+found", ".bootc-aleph.json", "etc/bootc-destructive-cleanup"]) {
    files.push(...(await listOne(join(root, path), path)));
  }
  return files;
}

/**
 * Without a file system of its own, /boot has kernels that are hard links of content in the repository: these
 * have the labels of the image, and with another the content would no longer be what its name says.
 */
async function listBoot(boot: string): Promise<readonly LabelledFile[]> {
  const files = await listTree({ top: boot, path: "boot" });
  const stats = await Promise.all(files.map((it) => lstat(it.file)));
  return files.filter((it, i) => it.kind === "directory" || stats[i]?.nlink === 1);
}

async function listWritten({ deployment, written }: LabelRequest) {
  const paths = new Set(written.flatMap((it) => [dirname(it), it]));
  const lists = await Promise.all([...paths].map((it) => listOne(join(deployment, it), it)));
  // A composefs image holds all of /usr.
  const image = await listOne(join(deployment, ".ostree.cfs"), "usr/.ostree.cfs");
  return [...lists.flat(), ...image];
}

async function listOne(file: string, path: string): Promise<readonly LabelledFile[]> {
  if (!(await exists(file))) return [];
  const kind = (await lstat(file)).isDirectory() ? "directory" : "file";
  return [{ file, path, kind }];
}

const DEPLOYMENT = /^ostree\/deploy\/[^/]+\/deploy\/[0-9a-f]{64}\.\d+$/;
const VAR = /^ostree\/deploy\/[^/]+\/var$/;
const OBJECT = /^ostree\/repo\/objects\/[0-9a-f]{2}\/[0-9a-f]{62}\.(\w+)$/;

/**
 * Deployments and the content they share with the repository carry the labels of the image, which are part
 * of what they are; /var is labelled by ostree, and the storage as another kind of thing.
 */
function mapOstree(path: string): string | undefined {
  if (path === "ostree/bootc/storage" || DEPLOYMENT.test(path) || VAR.test(path)) return undefined;
  const kind = OBJECT.exec(path)?.[1];
  if (kind === undefined) return path;
  // Thousands of objects need no stand-in each.
  return kind === "file" ? undefined : `ostree/repo/objects/00/object.${kind}`;
}
