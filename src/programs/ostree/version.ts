// Which ostree is installed; some of what we ask of it came with a later version.
import { BootcError } from "../../errors.ts";
import type { Context } from "../../system/context.ts";

/** `2025.2`. */
export async function readOstreeVersion(ctx: Context): Promise<string> {
  return parseOstreeVersion(await ctx.read("ostree", ["--version"]));
}

export function parseOstreeVersion(text: string): string {
  const version = /^\s*Version:\s*'?([0-9]+\.[0-9]+)/m.exec(text)?.[1];
  if (version === undefined) throw new BootcError("`ostree --version` printed no version");
  return version;
}

export function isAtLeast(version: string, wanted: string): boolean {
  const [year = 0, release = 0] = version.split(".").map(Number);
  const [wantedYear = 0, wantedRelease = 0] = wanted.split(".").map(Number);
  return year > wantedYear || (year === wantedYear && release >= wantedRelease);
}

/** Refuses an ostree that is too old for `what`. */
export async function requireOstreeVersion(
  ctx: Context,
  wanted: string,
  what: string,
): Promise<void> {
  const version = await readOstreeVersion(ctx);
  if (isAtLeast(version, wanted)) return;
  throw new BootcError(`${what} needs ostree ${wanted}, this host has ${version}`, {
    kind: "unsupported",
  });
}
