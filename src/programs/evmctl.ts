// evmctl: makes the signatures of files that the kernel's IMA checks.
import { resolve } from "node:path";
import { BootcError } from "../errors.ts";
import type { Context } from "../system/context.ts";
import { isInPath } from "../system/find-program.ts";

export interface ImaKey {
  /** The file with the private key; evmctl reads its password from EVMCTL_KEY_PASSWORD. */
  readonly key: string;
  /** The algorithm of the digest that is signed, as evmctl names it. */
  readonly algorithm: string;
}

/** Where `--xattr-user` puts a signature; the kernel does not look there. */
export const SIGNATURE_XATTR = "user.ima";

export function requireEvmctl(ctx: Context): void {
  if (isInPath(ctx, "evmctl")) return;
  throw new BootcError("`evmctl`: not found", { hint: "install the package ima-evm-utils" });
}

/** Signs all files in a directory. Files that evmctl could not sign have no signature afterwards. */
export async function signDirectory(ctx: Context, dir: string, key: ImaKey): Promise<void> {
  await ctx.run("evmctl", [...signArgs(key), "--recursive", dir], { isQuiet: true });
}

/** Signs one file, or says why that is impossible. */
export async function signFile(ctx: Context, path: string, key: ImaKey): Promise<void> {
  await ctx.run("evmctl", [...signArgs(key), path], { isQuiet: true });
}

/** evmctl changes its directory, so the key's path must be absolute. */
function signArgs({ key, algorithm }: ImaKey): readonly string[] {
  return ["ima_sign", "--xattr-user", "--key", resolve(key), "--hashalgo", algorithm];
}
