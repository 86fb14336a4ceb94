// The programs with which ostree refreshes an SELinux policy at shutdown, when nobody reads its errors.
import { join } from "node:path";
import { readOstree } from "../../programs/ostree/version.ts";
import { openCommit } from "../../repository/tree.ts";
import type { Context } from "../../system/context.ts";
import { exists } from "../../system/files.ts";

/** ostree knows no other place. */
const BWRAP = "usr/bin/bwrap";
/** Where `PATH` of a service leads in the new system, where `semodule` is started. */
const PROGRAM_DIRS = ["usr/sbin", "usr/bin", "usr/local/sbin", "usr/local/bin"];

/**
 * Notes what keeps ostree from applying the commit that is to be staged. For ostree, the configuration of a
 * policy counts, even where SELinux is off. A later ostree may manage without, so nothing is refused.
 */
export async function notePolicyRefresh(
  ctx: Context,
  { repo, commit }: { readonly repo: string; readonly commit: string },
): Promise<void> {
  const tree = await openCommit(repo, commit);
  if (!(await tree.readNames("etc/selinux")).includes("config")) return;
  const programs = await Promise.all(PROGRAM_DIRS.map((it) => tree.readNames(it)));
  const missing = [
    ...((await exists(join(ctx.root, BWRAP))) ? [] : [`this system has no \`/${BWRAP}\``]),
    ...(programs.flat().includes("semodule") ? [] : ["the image has no `semodule`"]),
  ];
  if (missing.length === 0 || !(await readOstree(ctx)).features.has("selinux")) return;
  const why = `ostree has to refresh the image's SELinux policy, and ${missing.join(", and ")}`;
  ctx.note(`note: a shutdown cannot apply this image: ${why}`);
}
