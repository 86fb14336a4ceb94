// systemd's login manager and NetworkManager, asked over D-Bus, and wall(1), which tells people.
import { join } from "node:path";
import { BootcError, errnoOf } from "../errors.ts";
import type { Context } from "../system/context.ts";
import { exists, readFileIfAny } from "../system/files.ts";

export interface Session {
  readonly user: string;
  /** Undefined for sessions such as those of cron. */
  readonly terminal: string | undefined;
  /** Its control group below `user.slice`, if the answer has it. */
  readonly scope: string | undefined;
}

/** Sessions as `loginctl` lists them, with the terminals that it does not know. */
export async function readSessions(ctx: Context): Promise<readonly Session[]> {
  const args = ["list-sessions", "--output=json", "--no-legend", "--no-pager"];
  const sessions = parseSessions(await ctx.read("loginctl", args, LIMIT));
  return await Promise.all(
    sessions.map(async (it) => ({ ...it, terminal: it.terminal ?? (await findTerminal(ctx, it)) })),
  );
}

/** sshd registers a session before it has a terminal, and systems without utmp never tell logind of it. */
async function findTerminal(ctx: Context, { scope }: Session): Promise<string | undefined> {
  if (scope === undefined) return undefined;
  const path = join(ctx.root, "sys/fs/cgroup/user.slice", scope, "cgroup.procs");
  for (const pid of ((await readIfAlive(path)) ?? "").split("\n").filter(Boolean)) {
    const stat = await readIfAlive(join(ctx.root, "proc", pid, "stat"));
    const terminal = parseTerminal(stat ?? "");
    if (terminal !== undefined) return terminal;
  }
  return undefined;
}

/** A process, or all of a session, may end between opening its file and reading it. */
async function readIfAlive(path: string): Promise<string | undefined> {
  return await readFileIfAny(path).catch((error: unknown) => {
    if (["ESRCH", "ENODEV"].includes(errnoOf(error) ?? "")) return undefined;
    throw error;
  });
}

/** The controlling terminal is the fifth field after the name, which may have spaces and brackets. */
function parseTerminal(stat: string): string | undefined {
  const device = Number(
    stat
      .slice(stat.lastIndexOf(")") + 1)
      .trim()
      .split(" ")[4] ?? 0,
  );
  if (!(device > 0)) return undefined;
  const [major, minor] = [(device >> 8) & 0xfff, (device & 0xff) | ((device >> 12) & 0xfff00)];
  // The majors of pseudoterminals, each with 256 of them.
  if (major >= 136 && major <= 143) return `pts/${(major - 136) * 256 + minor}`;
  // Consoles; serial lines have the minors after them.
  return major === 4 && minor < 64 ? `tty${minor}` : `device ${major}:${minor}`;
}

function scopeOf(id: unknown, uid: unknown): string | undefined {
  if (id === undefined || uid === undefined) return undefined;
  return `user-${uid}.slice/session-${id}.scope`;
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

/** JSON, or the table that systemd before version 246 prints all the same. */
export function parseSessions(text: string): readonly Session[] {
  if (!text.trimStart().startsWith("[")) return parseSessionTable(text);
  return requireRows("loginctl", JSON.parse(text)).map((it) => {
    const { session, uid, user, tty, seat } = Object(it) as Record<string, unknown>;
    const place = [tty, seat].find((name) => typeof name === "string" && name !== "");
    const terminal = place === undefined ? undefined : String(place);
    return { user: String(user), terminal, scope: scopeOf(session, uid) };
  });
}

/** Columns: session, uid, user, and others that depend on the version. No line stands for no session. */
function parseSessionTable(text: string): readonly Session[] {
  return text.split("\n").flatMap((line) => {
    const [id, uid, user, ...more] = line.trim().split(/\s+/);
    const find = (pattern: RegExp) => more.find((it) => pattern.test(it));
    const terminal = find(/^(?:tty|pts\/)/) ?? find(/^seat/);
    return user === undefined ? [] : [{ user, terminal, scope: scopeOf(id, uid) }];
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
