// Where sshd looks for the keys of users.
import type { Context } from "../system/context.ts";

/** Files of keys, relative to a home or with tokens. */
export async function readKeyFilePatterns(ctx: Context): Promise<readonly string[]> {
  return parseKeyFiles(await ctx.read("sshd", ["-T"]));
}

/** Format: `sshd -T`. The default is sshd's own. */
export function parseKeyFiles(text: string): readonly string[] {
  const value = /^authorizedkeysfile\s+(.+)$/im.exec(text)?.[1];
  return (value ?? ".ssh/authorized_keys .ssh/authorized_keys2").trim().split(/\s+/);
}
