// `npm run` keeps options for itself unless they follow `--`: tell the user, instead of ignoring them.
import type { Command } from "commander";
import { BootcError } from "../src/errors.ts";

type Env = Readonly<Record<string, string | undefined>>;

/** Settings npm exports to every script, whatever was typed: no sign of a swallowed option. */
const ALWAYS_EXPORTED = new Set(["prefix", "cache", "version"]);

/** Fails with usage when npm took an option that belongs to `command`. */
export function requireNothingSwallowed(env: Env, command: Command): void {
  if (env.npm_command !== "run-script" && env.npm_command !== "run") return;
  if (env.npm_lifecycle_event !== "xtask") return;
  const swallowed = command.options
    .filter((it) => isSwallowed(env, it.long ?? ""))
    .map((it) => it.long);
  if (swallowed.length === 0) return;
  throw new BootcError(`npm kept ${swallowed.map((it) => `\`${it}\``).join(", ")} for itself`, {
    kind: "usage",
    hint: `put two dashes in front: npm run xtask -- ${nameOf(command)} ${swallowed.join(" ")}`,
  });
}

/** `copr build`: a verb with the task it belongs to, without the runner's own name. */
function nameOf(command: Command): string {
  const names = [command.name()];
  for (let it = command.parent; it?.parent; it = it.parent) names.unshift(it.name());
  return names.join(" ");
}

function isSwallowed(env: Env, long: string): boolean {
  const name = long.replace(/^--/, "");
  if (name === "" || ALWAYS_EXPORTED.has(name)) return false;
  // npm reads --verbose as a log level of its own.
  if (name === "verbose") return env.npm_config_loglevel === "verbose";
  const value = env[`npm_config_${name.replaceAll("-", "_")}`];
  return value !== undefined && value !== "" && value !== "false";
}
