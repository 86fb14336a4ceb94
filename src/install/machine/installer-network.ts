// Gives a new system, while it is installed, the installer's DNS resolver and registry credentials.
import { lstat, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readAuthFile } from "../../programs/skopeo/policy.ts";
import type { Context } from "../../system/context.ts";
import { exists, isMissing, isSameFile, makeDirectories, replaceFile } from "../../system/files.ts";
import { findHostRoot } from "../../system/root/host-root.ts";

const RESOLVER = "etc/resolv.conf";
const AUTH = "run/ostree/auth.json";

/** Runs `work` with the installer's resolv.conf, and restores our own afterwards. */
export async function withInstallerNetwork<T>(ctx: Context, work: () => Promise<T>): Promise<T> {
  const root = await findHostRoot(ctx);
  if (root === undefined) return await work();
  await copyCredentials(ctx, root);
  const theirs = join(root, RESOLVER);
  const ours = join(ctx.root, RESOLVER);
  if (!(await exists(theirs)) || (await isSameFile(theirs, ours))) return await work();
  // Ours may be a link to a file that exists only on a running system.
  const aside = `${ours}.bootc-aside`;
  const hasOurs = await isThere(ours);
  if (hasOurs) await rename(ours, aside);
  try {
    await writeFile(ours, await readFile(theirs));
    return await work();
  } finally {
    if (hasOurs) await rename(aside, ours);
    else await rm(ours, { force: true });
  }
}

/** Copies them into /run, which the installed system does not keep. */
async function copyCredentials(ctx: Context, root: string): Promise<void> {
  const file = await readAuthFile({ ...ctx, root });
  const copy = join(ctx.root, AUTH);
  if (file === undefined || (await isSameFile(file, copy))) return;
  await makeDirectories(join(copy, ".."));
  await replaceFile(copy, await readFile(file), { mode: 0o600 });
}

/** Whether there is anything at `path`, even a dangling link. */
async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}
