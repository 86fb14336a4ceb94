// `npm run` keeps options for itself unless they follow `--`: tell the user, instead of ignoring them.
import { readFile } from "node:fs/promises";
import type { AnyCommand, Option } from "../src/cli/commander.ts";
import { BootcError, doing, errnoOf } from "../src/errors.ts";
import type { Context } from "../src/system/context.ts";

type Env = Readonly<Record<string, string | undefined>>;

/** Settings npm exports to every script, whatever was typed: no sign of a swallowed option. */
const ALWAYS_EXPORTED = new Set(["prefix", "cache", "version"]);

/** What npm's own configuration says of a setting, whatever was typed: as a variable holds it. */
export type ReadOwn = (setting: string) => Promise<string | undefined>;

/**
 * Fails with usage when npm took an option that belongs to `command`. A setting of the same name in
 * npm's configuration is no such option.
 */
export async function requireNothingSwallowed(
  env: Env,
  command: AnyCommand,
  readOwn: ReadOwn,
): Promise<void> {
  const start = startOf(env, command);
  if (start === undefined) return;
  const swallowed: Option[] = [];
  for (const it of command.options) {
    const setting = settingOf(it);
    if (!isSwallowed(it, valueIn(env, setting))) continue;
    if (!isSwallowed(it, await readOwn(setting))) swallowed.push(it);
  }
  if (swallowed.length === 0) return;
  const named = swallowed.map((it) => `\`${it.long}\``).join(", ");
  throw new BootcError(`npm kept ${named} for itself`, {
    kind: "usage",
    // npm keeps the option and lets its value go, so the value is not known any more.
    hint: `put two dashes in front: ${start} ${swallowed.map((it) => it.flags).join(" ")}`,
  });
}

/** Asks the environment that npm was started in, then npm for its files. */
export function readOwnOf({ ctx, top }: { readonly ctx: Context; readonly top: string }): ReadOwn {
  return async (setting) => {
    const npmEnv = await readNpmEnv();
    const inEnv = valueIn(npmEnv, setting);
    if (inEnv !== undefined) return inEnv;
    return await readFromFiles(ctx, top, setting);
  };
}

async function readFromFiles(
  ctx: Context,
  top: string,
  setting: string,
): Promise<string | undefined> {
  // What `npm run` exports would answer for the files.
  const mine = Object.keys(ctx.env).filter(
    (it) => /^npm_config_/i.test(it) && !/_(user|global)config$/i.test(it),
  );
  const env = Object.fromEntries(mine.map((it) => [it, undefined]));
  const text = await doing(`asking npm for its setting \`${setting}\``, () =>
    ctx.read("npm", ["config", "get", setting], { cwd: top, env }),
  );
  const value = text.trim();
  return value === "undefined" || value === "null" ? undefined : value;
}

/** The variables of the npm that started us: none of them comes from its command line. */
async function readNpmEnv(): Promise<Env> {
  try {
    for (let pid = process.ppid; pid > 1; pid = await readParent(pid)) {
      // npm writes what it does over its command line, without options.
      const title = await readFile(`/proc/${pid}/cmdline`, "utf8");
      if (title.startsWith("npm ")) return parseEnv(await readFile(`/proc/${pid}/environ`, "utf8"));
    }
  } catch (error) {
    // Another user's npm, or one that has ended: its files remain to be asked.
    if (!["EACCES", "ENOENT", "ESRCH"].includes(errnoOf(error) ?? "")) throw error;
  }
  return {};
}

async function readParent(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  // The name before it may hold anything.
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
}

function parseEnv(text: string): Env {
  const pairs = text.split("\0").filter((it) => it.includes("="));
  return Object.fromEntries(
    pairs.map((it) => [it.slice(0, it.indexOf("=")), it.slice(it.indexOf("=") + 1)]),
  );
}

/** How npm was asked for `command`, up to where its options belong; undefined when npm was not. */
function startOf(env: Env, command: AnyCommand): string | undefined {
  const script = env.npm_lifecycle_event;
  if (!["run-script", "run", "test"].includes(env.npm_command ?? "")) return undefined;
  if (script === "xtask") return `npm run xtask -- ${nameOf(command)}`;
  // What tests start in turn was not typed behind `npm test`.
  return script === "test" && nameOf(command) === "test" ? "npm test --" : undefined;
}

/** `copr build`: a verb with the task it belongs to, without the runner's own name. */
function nameOf(command: AnyCommand): string {
  const names = [command.name()];
  for (let it = command.parent; it?.parent; it = it.parent) names.unshift(it.name());
  return names.join(" ");
}

/** The setting npm takes an option for. */
function settingOf({ long = "", negate }: Option): string {
  const name = long.replace(negate ? /^--no-/ : /^--/, "");
  // npm reads --verbose as a log level of its own.
  return name === "verbose" ? "loglevel" : name;
}

/** The variable for a setting, which may be in capitals. */
function valueIn(env: Env, setting: string): string | undefined {
  const variable = `npm_config_${setting.replaceAll("-", "_")}`;
  return env[variable] ?? env[Object.keys(env).find((it) => it.toLowerCase() === variable) ?? ""];
}

function isSwallowed({ long = "", negate }: Option, value: string | undefined): boolean {
  if (ALWAYS_EXPORTED.has(long.slice(2))) return false;
  if (long === "--verbose") return value === "verbose";
  // npm exports what was switched off as nothing.
  if (negate) return value === "" || value === "false";
  return value !== undefined && value !== "" && value !== "false";
}
