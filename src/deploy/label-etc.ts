// Labels the `/etc` of deployments for SELinux: after an installation, after staging, and at shutdown.
import { join } from "node:path";
import { findUnlabelled, readLabels } from "../programs/selinux.ts";
import { CONTEXTS } from "../pull/labels/contexts.ts";
import { deploymentDir, namedDeploymentDir } from "../sysroot/paths.ts";
import { readStagedDeployment } from "../sysroot/staged.ts";
import { readSysroot } from "../sysroot/sysroot.ts";
import type { Context } from "../system/context.ts";
import { exists, readFileIfAny, readNamesIfAny } from "../system/files.ts";
import { type LabelledFile, labelFiles, listTree } from "./label-files.ts";

/** Labels the staged deployment, if any. */
export async function labelStagedEtc(ctx: Context): Promise<void> {
  const staged = await readStagedDeployment(ctx);
  if (staged === undefined) return;
  await labelEtc(ctx, namedDeploymentDir(join(ctx.root, "sysroot"), staged));
}

/** What ostree will copy into a staged deployment that has a policy. */
export interface EtcMerge {
  /** The deployment whose changes to `/etc` are copied. */
  readonly from: string;
  /** The staged deployment. */
  readonly to: string;
}

/** The merge that a shutdown would do now, if its result needs labels; read without starting a program. */
export async function findEtcMerge(ctx: Context): Promise<EtcMerge | undefined> {
  const staged = await readStagedDeployment(ctx);
  if (staged?.mergeSource === undefined || staged.isLocked) return undefined;
  const sysroot = join(ctx.root, "sysroot");
  const from = namedDeploymentDir(sysroot, staged.mergeSource);
  const to = namedDeploymentDir(sysroot, staged);
  if (!(await hasPolicy(to))) return undefined;
  // The machine's own rules reach the staged deployment only by the merge.
  return (await hasOwnRules(from)) ? undefined : { from, to };
}

/**
 * At shutdown, before ostree finalizes the staged deployment: labels what it may copy, by the policy of that
 * deployment. Copies get the labels of their originals, so they have them when ostree makes the deployment
 * the default. An update that did not succeed may have left labels of its own, which are replaced: whatever
 * is not labelled as in the image is labelled anew.
 */
export async function labelMergedEtc(ctx: Context, { from, to }: EtcMerge): Promise<void> {
  const files = await listTree({ top: join(from, "etc"), path: "etc" });
  // Listed, and not looked up: a link leads somewhere else from here, or to itself.
  const shipped = await listTree({ top: join(from, "usr/etc"), path: "etc" });
  const shippedAs = new Map(shipped.map((it) => [it.path, it.file]));
  const compared = files.flatMap((it) => shippedAs.get(it.path) ?? []);
  const labels = await readLabels(ctx, [...files.map((it) => it.file), ...compared]);
  const isOfImage = ({ file, path }: LabelledFile) => {
    const [own, ofImage] = [labels.get(file), labels.get(shippedAs.get(path) ?? "")];
    return own !== undefined && own === ofImage;
  };
  const left = files.filter((it) => !isOfImage(it));
  if (left.length > 0) await labelFiles(ctx, to, left);
}

/** What decides about labels of `/etc`: no compiled forms, and no rules for home directories. */
const RULES = CONTEXTS.filter((it) => !it.endsWith(".bin") && !it.endsWith(".homedirs"));

/** Whether `semanage fcontext`, a module of policy or an edit has changed what the image says of labels. */
async function hasOwnRules(deployment: string): Promise<boolean> {
  const types = await readNamesIfAny(join(deployment, "etc/selinux"));
  const files = types.flatMap((type) => RULES.map((name) => join(type, "contexts/files", name)));
  for (const path of ["config", ...files]) {
    const [own, shipped] = await Promise.all(
      ["etc", "usr/etc"].map((top) => readFileIfAny(join(deployment, top, "selinux", path))),
    );
    if (rulesIn(own) !== rulesIn(shipped)) return true;
  }
  return false;
}

/** Without comments: `semanage` writes a file of nothing else. */
function rulesIn(text = ""): string {
  return text
    .replace(/^\s*#.*$/gm, "")
    .replace(/\n{2,}/g, "\n")
    .trim();
}

/**
 * At shutdown: labels the deployment that boots next, after ostree has finalized it: what the image's
 * `semodule` wrote there, and what could not be labelled before.
 */
export async function labelFinalizedEtc(ctx: Context): Promise<void> {
  const [next] = (await readSysroot(ctx)).deployments;
  // A deployment that is still staged was locked, and is lost.
  if (next === undefined || next.isBooted || next.isStaged) return;
  await labelEtc(ctx, deploymentDir(ctx, next));
}

/**
 * Labels everything without a label in the `/etc` of a deployment by its own policy: where SELinux is off,
 * older versions of ostree do not label directories and symbolic links. Labels stay.
 */
export async function labelEtc(ctx: Context, deployment: string): Promise<void> {
  if (!(await hasPolicy(deployment))) return;
  const files = await listTree({ top: join(deployment, "etc"), path: "etc" });
  const unlabelled = await findUnlabelled(
    ctx,
    files.map((it) => it.file),
  );
  const left = files.filter((it) => unlabelled.has(it.file));
  if (left.length > 0) await labelFiles(ctx, deployment, left);
}

async function hasPolicy(deployment: string): Promise<boolean> {
  return await exists(join(deployment, "etc/selinux/config"));
}
