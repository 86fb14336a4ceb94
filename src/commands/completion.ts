// `bootc completion`: a script that lets a shell complete our commands and options.
import type { Command } from "commander";
import { BootcError } from "../errors.ts";
import type { Context } from "../system/context.ts";

export async function completion(_ctx: Context, _program: Command, shell: string): Promise<void> {
  throw new BootcError(`no completion script for \`${shell}\` yet`, { kind: "unsupported" });
}
