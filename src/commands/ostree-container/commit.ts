// `ostree container commit`: empty what an image must not contain, as the last step of a container build.
import { lstat, readdir, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { BootcError, doing } from "../../errors.ts";
import { keyfileValue, parseKeyfile } from "../../ostree/keyfile.ts";
import { readContainerSign } from "../../sysroot/host-kind.ts";
import type { Context } from "../../system/context.ts";
import { exists, ifMissing, readFileIfAny } from "../../system/files.ts";
import { readMountsOf } from "../../system/root/mounts.ts";

/** Only their content goes. */
const EMPTIED = ["run", "tmp", "var/tmp", "var/cache"];

export async function containerCommit(ctx: Context): Promise<void> {
  await requireOstreeContainer(ctx);
  const { dev } = await lstat(ctx.root);
  const mounts = new Set((await readMountsOf(ctx, "self")).map((it) => it.path));
  for (const path of EMPTIED) {
    await doing(`emptying \`/${path}\``, () => emptyDirectory(ctx, path, { dev, mounts }));
  }
}

/** Anywhere else, this would delete what is in use. */
async function requireOstreeContainer(ctx: Context): Promise<void> {
  const isContainer = (await readContainerSign(ctx)) !== undefined;
  if (isContainer && (await hasOstree(ctx))) return;
  throw new BootcError("this is not a container with an ostree-based system", {
    kind: "unsupported",
    hint: "run it in the last `RUN` line of a build on top of such an image",
  });
}

async function hasOstree(ctx: Context): Promise<boolean> {
  const config = await readFileIfAny(join(ctx.root, "sysroot/ostree/repo/config"));
  const mode = config && keyfileValue(parseKeyfile(config), "core", "mode");
  if (mode === "bare-split-xattrs") return true;
  return await exists(join(ctx.root, "usr/lib/ostree/prepare-root.conf"));
}

interface Limits {
  /** Other file systems are left alone, */
  readonly dev: number;
  /** and so is what is mounted from the same one. */
  readonly mounts: ReadonlySet<string>;
}

/** Whether nothing is left. Symbolic links are not followed. */
async function emptyDirectory(ctx: Context, path: string, limits: Limits): Promise<boolean> {
  const found = await lstat(join(ctx.root, path)).catch(ifMissing(undefined));
  if (!found?.isDirectory() || isForeign(found, path, limits)) return false;
  let isEmpty = true;
  for (const name of await readdir(join(ctx.root, path))) {
    isEmpty = (await removeEntry(ctx, `${path}/${name}`, limits)) && isEmpty;
  }
  return isEmpty;
}

async function removeEntry(ctx: Context, path: string, limits: Limits): Promise<boolean> {
  const entry = join(ctx.root, path);
  const found = await lstat(entry);
  if (isForeign(found, path, limits)) return false;
  if (!found.isDirectory()) {
    await rm(entry);
    return true;
  }
  if (!(await emptyDirectory(ctx, path, limits))) return false;
  await rmdir(entry);
  return true;
}

function isForeign(
  found: { readonly dev: number },
  path: string,
  { dev, mounts }: Limits,
): boolean {
  return found.dev !== dev || mounts.has(`/${path}`);
}
