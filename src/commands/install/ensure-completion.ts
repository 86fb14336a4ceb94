// `bootc install ensure-completion`: complete what Anaconda deployed itself, without our installation.
import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { BootcError } from "../../errors.ts";
import { completeInstall } from "../../install/complete.ts";
import { withInstallerNetwork } from "../../install/machine/installer-network.ts";
import type { Context } from "../../system/context.ts";
import { exists, makeDirectories } from "../../system/files.ts";
import { requireRoot } from "../../system/privileges.ts";

/** A file in the installer's system. It exists when there is nothing left to do. */
const STAMP = "proc/1/root/run/bootc-install-reconciled";

export async function ensureInstallCompletion(ctx: Context): Promise<void> {
  await requireRoot(ctx);
  if (!ctx.env.ANA_INSTALL_PATH) {
    throw new BootcError("Missing environment variable ANA_INSTALL_PATH", {
      hint: "this command is for `%post` of a kickstart that uses `ostreecontainer`",
    });
  }
  const stamp = join(ctx.root, STAMP);
  if (await exists(stamp)) {
    ctx.note("Reconciliation already completed.");
    return;
  }
  // In `%post`, our root is the new deployment, with its boot file system mounted.
  const own = join(ctx.root, "boot");
  const sysroot = join(ctx.root, "sysroot");
  const boot = (await exists(join(own, "loader"))) ? own : join(sysroot, "boot");
  await markBooted(ctx);
  await withInstallerNetwork(ctx, () =>
    completeInstall(ctx, { sysroot, boot, stateroot: undefined }),
  );
  await makeDirectories(dirname(stamp));
  await writeFile(stamp, "");
}

/** Shows the image's programs that `%post` runs next what kind of system they are on. */
async function markBooted(ctx: Context): Promise<void> {
  const path = join(ctx.root, "run/ostree-booted");
  if (await exists(path)) return;
  await makeDirectories(dirname(path));
  await writeFile(path, "");
}
