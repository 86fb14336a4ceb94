// `bootc internals fsck`: look for damage that earlier versions are known to have caused.
import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { prepareForWrite } from "../../deploy/prepare-write.ts";
import { BootcError } from "../../errors.ts";
import { keyfileValue, parseKeyfile } from "../../ostree/keyfile.ts";
import { readVerityFlags } from "../../programs/disk/lsattr.ts";
import { deploymentDir } from "../../sysroot/paths.ts";
import { readSysroot, systemRepo } from "../../sysroot/sysroot.ts";
import type { Context } from "../../system/context.ts";
import { ifMissing, readFileIfAny } from "../../system/files.ts";

type Check = (ctx: Context) => Promise<string | undefined>;

/** In the order of the report. Each check returns what is wrong, if anything. */
const CHECKS: readonly (readonly [name: string, check: Check])[] = [
  ["etc-resolvconf", checkResolvConf],
  ["fsverity", checkVerity],
];

export async function fsck(ctx: Context): Promise<void> {
  await prepareForWrite(ctx);
  let errors = 0;
  for (const [name, check] of CHECKS) {
    const problem = await check(ctx);
    if (problem !== undefined) errors++;
    ctx.say(problem === undefined ? `ok: ${name}` : `fsck error: ${name}: ${problem}`);
  }
  if (errors > 0) throw new BootcError("Encountered errors", { kind: "integrity" });
}

/** Image builds leave an empty resolv.conf, which hides the one made at run time. */
async function checkResolvConf(ctx: Context): Promise<string | undefined> {
  const { deployments } = await readSysroot(ctx);
  for (const it of deployments) {
    const path = join(deploymentDir(ctx, it), "usr/etc/resolv.conf");
    if (await isEmptyFile(path)) return `\`${path}\` is an empty file`;
  }
  return undefined;
}

async function isEmptyFile(path: string): Promise<boolean> {
  const found = await lstat(path).catch(ifMissing(undefined));
  return found?.isFile() === true && found.size === 0;
}

/** fs-verity protects either all content objects or none; if the repository requires it, all. */
async function checkVerity(ctx: Context): Promise<string | undefined> {
  const repo = systemRepo(ctx);
  const config = parseKeyfile((await readFileIfAny(join(repo, "config"))) ?? "");
  const isDemanded = /^(yes|true|1)$/.test(keyfileValue(config, "ex-integrity", "fsverity") ?? "");
  const { enabled, disabled } = await readVerityFlags(ctx, join(repo, "objects"));
  if (disabled === 0 || (enabled === 0 && !isDemanded)) return undefined;
  return `${disabled} of ${enabled + disabled} objects are not protected by fs-verity`;
}
