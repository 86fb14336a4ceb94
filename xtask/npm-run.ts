// `npm run` keeps options for itself unless they follow `--`. We report that instead of ignoring them.
import { readFile } from "node:fs/promises";
import type { AnyCommand, Option } from "../src/cli/commander.ts";
import { BootcError, doing, errnoOf } from "../src/errors.ts";
import type { Context } from "../src/system/context.ts";

type Env = Readonly<Record<string, string | undefined>>;

/** Settings that npm exports to every script, so they do not show that npm swallowed an option. */
const ALWAYS_EXPORTED = new Set(["prefix", "cache", "version"]);

/** The value of a setting in npm's own configuration, in the form that a variable has. */
export type ReadOwn = (setting: string) => Promise<string | undefined>;

/**
 * Fails with kind `usage` if npm took an option that belongs to `command`. A setting with the same name in
 * npm's configuration does not count.
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
    // npm keeps the option and drops its value, so we do not know the value.
    hint: `put two dashes in front: ${start} ${swallowed.map((it) => it.flags).join(" ")}`,
  });
}

/** Looks into the environment in which npm was started, then asks npm about its files. */
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
  // Without this, npm would report what `npm run` exported instead of what its files say.
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

/** The environment of the npm that started us, which its command line has not changed. */
async function readNpmEnv(): Promise<Env> {
  try {
    for (let pid = process.ppid; pid > 1; pid = await readParent(pid)) {
      // npm overwrites its command line with a title that has no options.
      const title = await readFile(`/proc/${pid}/cmdline`, "utf8");
      if (title.startsWith("npm ")) return parseEnv(await readFile(`/proc/${pid}/environ`, "utf8"));
    }
  } catch (error) {
    // npm belongs to another user, or has ended. Its files can still be read.
    if (!["EACCES", "ENOENT", "ESRCH"].includes(errnoOf(error) ?? "")) throw error;
  }
  return {};
}

async function readParent(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  // The name before it may contain anything.
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
}

function parseEnv(text: string): Env {
  const pairs = text.split("\0").filter((it) => it.includes("="));
  return Object.fromEntries(
    pairs.map((it) => [it.slice(0, it.indexOf("=")), it.slice(it.indexOf("=") + 1)]),
  );
}

/** The npm command that started `command`, up to the place for options; undefined if npm did not start it. */
function startOf(env: Env, command: AnyCommand): string | undefined {
  const script = env.npm_lifecycle_event;
  if (!["run-script", "run", "test"].includes(env.npm_command ?? "")) return undefined;
  if (script === "xtask") return `npm run xtask -- ${nameOf(command)}`;
  // Commands that tests start were not typed after `npm test`.
  return script === "test" && nameOf(command) === "test" ? "npm test --" : undefined;
}

/** `copr build`: a verb with its task, without the runner's name. */
function nameOf(command: AnyCommand): string {
  const names = [command.name()];
  for (let it = command.parent; it?.parent; it = it.parent) names.unshift(it.name());
  return names.join(" ");
}

/** The setting for which npm takes an option. */
function settingOf({ long = "", negate }: Option): string {
  const name = long.replace(negate ? /^--no-/ : /^--/, "");
  // For npm, --verbose is a log level.
  return name === "verbose" ? "loglevel" : name;
}

/** The value of the variable for a setting; its name may be in capitals. */
function valueIn(env: Env, setting: string): string | undefined {
  const variable = `npm_config_${setting.replaceAll("-", "_")}`;
  return env[variable] ?? env[Object.keys(env).find((it) => it.toLowerCase() === variable) ?? ""];
}

function isSwallowed({ long = "", negate }: Option, value: string | undefined): boolean {
  if (ALWAYS_EXPORTED.has(long.slice(2))) return false;
  if (long === "--verbose") return value === "verbose";
  // npm exports a setting that is off as an empty value.
  if (negate) return value === "" || value === "false";
  return value !== undefined && value !== "" && value !== "false";
}
