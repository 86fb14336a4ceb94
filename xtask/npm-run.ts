// `npm run` keeps options for itself unless they follow `--`: tell the user, instead of ignoring them.
import type { Command, Option } from "commander";
import { BootcError } from "../src/errors.ts";

type Env = Readonly<Record<string, string | undefined>>;

/** Settings npm exports to every script, whatever was typed: no sign of a swallowed option. */
const ALWAYS_EXPORTED = new Set(["prefix", "cache", "version"]);

/** Fails with usage when npm took an option that belongs to `command`. */
export function requireNothingSwallowed(env: Env, command: Command): void {
  const start = startOf(env, command);
  if (start === undefined) return;
  const swallowed = command.options.filter((it) => isSwallowed(env, it));
  if (swallowed.length === 0) return;
  const named = swallowed.map((it) => `\`${it.long}\``).join(", ");
  throw new BootcError(`npm kept ${named} for itself`, {
    kind: "usage",
    // npm keeps the option and lets its value go, so the value is not known any more.
    hint: `put two dashes in front: ${start} ${swallowed.map((it) => it.flags).join(" ")}`,
  });
}

/** How npm was asked for `command`, up to where its options belong; undefined when npm was not. */
function startOf(env: Env, command: Command): string | undefined {
  const script = env.npm_lifecycle_event;
  if (!["run-script", "run", "test"].includes(env.npm_command ?? "")) return undefined;
  if (script === "xtask") return `npm run xtask -- ${nameOf(command)}`;
  // What tests start in turn was not typed behind `npm test`.
  return script === "test" && nameOf(command) === "test" ? "npm test --" : undefined;
}

/** `copr build`: a verb with the task it belongs to, without the runner's own name. */
function nameOf(command: Command): string {
  const names = [command.name()];
  for (let it = command.parent; it?.parent; it = it.parent) names.unshift(it.name());
  return names.join(" ");
}

function isSwallowed(env: Env, { long = "", negate }: Option): boolean {
  const name = long.replace(negate ? /^--no-/ : /^--/, "");
  if (name === "" || ALWAYS_EXPORTED.has(name)) return false;
  // npm reads --verbose as a log level of its own.
  if (name === "verbose") return env.npm_config_loglevel === "verbose";
  const value = env[`npm_config_${name.replaceAll("-", "_")}`];
  // npm exports what was switched off as nothing.
  if (negate) return value === "" || value === "false";
  return value !== undefined && value !== "" && value !== "false";
}
