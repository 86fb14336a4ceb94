// systemd's login manager and NetworkManager, asked over D-Bus, and wall(1), which tells people.
import { join } from "node:path";
import { BootcError } from "../errors.ts";
import type { Context } from "../system/context.ts";
import { exists } from "../system/files.ts";

/** Sessions as `loginctl` lists them. */
export async function readSessions(ctx: Context) {
  const args = ["list-sessions", "--output=json", "--no-pager"];
  return parseSessions(await ctx.read("loginctl", args, LIMIT));
}

/** What keeps the machine from shutting down or sleeping. */
export async function readInhibitors(ctx: Context) {
  const name = "org.freedesktop.login1";
  const path = "/org/freedesktop/login1";
  const args = ["--json=short", "call", name, path, `${name}.Manager`, "ListInhibitors"];
  return parseInhibitors(await ctx.read("busctl", args, LIMIT));
}

/** NetworkManager's opinion on the connection; 0, which means unknown, where it does not run. */
export async function readMetered(ctx: Context): Promise<number> {
  if (!(await exists(join(ctx.root, "run/NetworkManager")))) return 0;
  const name = "org.freedesktop.NetworkManager";
  const path = "/org/freedesktop/NetworkManager";
  const args = ["--json=short", "get-property", name, path, name, "Metered"];
  return parseMetered(await ctx.read("busctl", args, LIMIT));
}

/** Writes a line to the terminals of all users. */
export async function warnUsers(ctx: Context, message: string): Promise<void> {
  await ctx.run("wall", [message], { isQuiet: true, ...LIMIT });
}

const LIMIT = { timeoutMs: 10_000 };

export function parseSessions(text: string) {
  // Without a session, systemd 252 prints nothing.
  if (text.trim() === "") return [];
  return requireRows("loginctl", JSON.parse(text)).map((it) => {
    const { user, tty, seat } = Object(it) as Record<string, unknown>;
    const place = [tty, seat].find((name) => typeof name === "string" && name !== "");
    return { user: String(user), terminal: place === undefined ? undefined : String(place) };
  });
}

export function parseInhibitors(text: string) {
  const { data } = Object(JSON.parse(text)) as Record<string, unknown>;
  return requireRows("busctl", requireRows("busctl", data)[0]).map((it) => {
    const [what = "", who = "", why = "", mode = ""] = requireRows("busctl", it).map(String);
    return { what, who, why, mode };
  });
}

export function parseMetered(text: string): number {
  const { data } = Object(JSON.parse(text)) as Record<string, unknown>;
  return typeof data === "number" ? data : 0;
}

function requireRows(program: string, value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw new BootcError(`\`${program}\` gave an unexpected answer`);
}
