// Finds programs before anything is started, for work that must not stop halfway.
import { accessSync, constants } from "node:fs";
import { BootcError } from "../errors.ts";
import type { Context } from "./context.ts";

/** The path of a program; `path` is the value of PATH. */
export function findProgram(name: string, path: string): string {
  const dir = path.split(":").find((it) => it.startsWith("/") && canExecute(`${it}/${name}`));
  if (dir === undefined) throw notFound([name]);
  return `${dir}/${name}`;
}

export function isInPath({ env }: Context, name: string): boolean {
  return pathOf(env).some((it) => canExecute(`${it}/${name}`));
}

/** Fails when the machine lacks any of the programs, and names all that are missing. */
export function requirePrograms({ env }: Context, names: readonly string[]): void {
  const dirs = pathOf(env);
  const missing = names.filter((name) => !dirs.some((it) => canExecute(`${it}/${name}`)));
  if (missing.length > 0) throw notFound(missing);
}

function pathOf(env: Context["env"]): readonly string[] {
  return (env.PATH ?? "/usr/bin:/bin").split(":");
}

function notFound(names: readonly string[]): BootcError {
  const list = names.map((it) => `\`${it}\``).join(", ");
  return new BootcError(`${list}: not found`, { hint: `install ${list}, or check PATH` });
}

function canExecute(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
