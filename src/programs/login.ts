// Who is logged in, and where sshd looks for their keys.
import type { Context } from "../system/context.ts";
import { failureOf } from "../system/run.ts";

/** The names of users with a session; without logind, nobody. */
export async function readSessionUsers(ctx: Context): Promise<readonly string[]> {
  const text = await readIfPossible(ctx, "loginctl", ["list-sessions", "--no-legend"]);
  return parseLoginSessions(text ?? "");
}

/** Columns: session, uid, user, and others that depend on the version. */
export function parseLoginSessions(text: string): readonly string[] {
  const users = text.split("\n").flatMap((line) => line.trim().split(/\s+/)[2] ?? []);
  return [...new Set(users)];
}

/** Files of keys, relative to a home or with tokens; sshd's own default where it cannot be asked. */
export async function readKeyFilePatterns(ctx: Context): Promise<readonly string[]> {
  return parseKeyFiles((await readIfPossible(ctx, "sshd", ["-T"])) ?? "");
}

/** Format: `sshd -T`. */
export function parseKeyFiles(text: string): readonly string[] {
  const value = /^authorizedkeysfile\s+(.+)$/im.exec(text)?.[1];
  return (value ?? ".ssh/authorized_keys .ssh/authorized_keys2").trim().split(/\s+/);
}

/** Undefined when the program is missing or refuses: then people choose without it. */
async function readIfPossible(
  ctx: Context,
  program: string,
  args: readonly string[],
): Promise<string | undefined> {
  try {
    return await ctx.read(program, args);
  } catch (error) {
    if (failureOf(error) === undefined) throw error;
    return undefined;
  }
}
