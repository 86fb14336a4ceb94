// ostree on a new root: the layout, the settings, the first deployment.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Context } from "../../system/context.ts";
import { exists, replaceFile } from "../../system/files.ts";

/** Makes the layout of an ostree system in `root`, or reuses an existing one. */
export async function initSysroot(ctx: Context, root: string): Promise<void> {
  if (await exists(join(root, "ostree/repo"))) {
    ctx.note("Reusing extant ostree layout");
    return;
  }
  ctx.note("Initializing ostree layout");
  await ctx.run("ostree", ["admin", "init-fs", "--modern", root], { isQuiet: true });
}

/** Sets keys, such as `sysroot.readonly`, in the repository's configuration. */
export async function configureRepo(
  ctx: Context,
  root: string,
  values: Readonly<Record<string, string>>,
): Promise<void> {
  for (const [key, value] of Object.entries(values)) {
    await ctx.run("ostree", ["config", `--repo=${join(root, "ostree/repo")}`, "set", key, value]);
  }
}

export async function ensureStateroot(ctx: Context, root: string, name: string): Promise<void> {
  if (await exists(join(root, "ostree/deploy", name))) return;
  await ctx.run("ostree", ["admin", "os-init", `--sysroot=${root}`, name], { isQuiet: true });
}

export interface FirstDeployment {
  readonly stateroot: string;
  readonly commit: string;
  /** The text of the origin file. */
  readonly origin: string;
  readonly kargs: readonly string[];
}

/** Deploys a commit, which `root` then boots. Other deployments are kept. */
export async function deployFirst(
  ctx: Context,
  root: string,
  { stateroot, commit, origin, kargs }: FirstDeployment,
): Promise<void> {
  const originFile = join(root, "ostree/deploy", stateroot, ".bootc-install.origin");
  await replaceFile(originFile, origin);
  try {
    await ctx.run(
      "ostree",
      [
        ...["admin", "deploy", `--sysroot=${root}`, `--os=${stateroot}`, "--retain"],
        ...[`--origin-file=${originFile}`, "--karg-none"],
        ...kargs.map((it) => `--karg-append=${it}`),
        commit,
      ],
      { isQuiet: true },
    );
  } finally {
    await rm(originFile, { force: true });
  }
}
