// Labels the files of a new machine that are not part of its image, by the image's SELinux policy.
import { lstat, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { labelEtc } from "../deploy/label-etc.ts";
import { type LabelledFile, labelFiles, labelStorage, listTree } from "../deploy/label-files.ts";
import type { Context } from "../system/context.ts";
import { exists } from "../system/files.ts";

export interface LabelRequest {
  /** The physical root. */
  readonly root: string;
  readonly deployment: string;
  /** The paths written into the deployment, relative to its top. */
  readonly written: readonly string[];
}

/** The type of FAT in statfs(2). FAT cannot store labels. */
const FAT = 0x4d44;

/** Labels the physical root, `/boot`, `/ostree`, and unlabelled files of the deployment; not the ESP. */
export async function labelMachine(ctx: Context, request: LabelRequest): Promise<void> {
  const { root, deployment } = request;
  const boot = join(root, "boot");
  const hasBoot = (await exists(boot)) && (await statfs(boot)).type !== FAT;
  await labelFiles(ctx, deployment, [
    ...(await listTop(root)),
    ...(hasBoot ? await listBoot(boot) : []),
    ...(await listTree({ top: join(root, "ostree"), path: "ostree", mapPath: mapOstree })),
    ...(await listStamp(deployment)),
    ...(await listWritten(request)),
  ]);
  await labelEtc(ctx, deployment);
  const storage = join(root, "ostree/bootc/storage");
  if (await exists(storage)) await labelStorage(ctx, deployment, storage);
}

/** The root itself and our files in it. The old system's files keep their labels. */
async function listTop(root: string): Promise<readonly LabelledFile[]> {
  const files: LabelledFile[] = [{ file: root, path: "", kind: "directory" }];
  for (const path of ["lost+found", ".bootc-aleph.json", "etc/bootc-destructive-cleanup"]) {
    files.push(...(await listOne(join(root, path), path)));
  }
  return files;
}

/**
 * Leaves out files with several links: without a separate /boot, kernels are hard links to objects of the
 * repository. Their labels are the image's, and another label would no longer match the object's checksum.
 */
async function listBoot(boot: string): Promise<readonly LabelledFile[]> {
  const files = await listTree({ top: boot, path: "boot" });
  const stats = await Promise.all(files.map((it) => lstat(it.file)));
  return files.filter((it, i) => it.kind === "directory" || stats[i]?.nlink === 1);
}

/** ostree labels a new /var, and then writes the stamp that says so, without a label. */
async function listStamp(deployment: string): Promise<readonly LabelledFile[]> {
  const path = "var/.ostree-selabeled";
  return await listOne(join(deployment, "../..", path), path);
}

async function listWritten({ deployment, written }: LabelRequest) {
  const paths = new Set(written.flatMap((it) => [dirname(it), it]));
  const lists = await Promise.all([...paths].map((it) => listOne(join(deployment, it), it)));
  // The composefs image contains all of /usr.
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
 * The path whose label a file gets; undefined for a file that is not labelled here. Deployments and content
 * objects have the image's labels, ostree labels /var, and `labelStorage` labels the container storage.
 */
function mapOstree(path: string): string | undefined {
  if (path === "ostree/bootc/storage" || DEPLOYMENT.test(path) || VAR.test(path)) return undefined;
  const kind = OBJECT.exec(path)?.[1];
  if (kind === undefined) return path;
  // One path for all objects of a kind, because each path costs a lookup.
  return kind === "file" ? undefined : `ostree/repo/objects/00/object.${kind}`;
}
