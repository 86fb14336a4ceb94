// `bootc internals dump-cli-json`: print the visible commands and options as JSON, for documentation tools.
import type { AnyCommand } from "../../cli/commander.ts";
import type { Context } from "../../system/context.ts";

export interface CliCommandDocument {
  readonly name: string;
  readonly about: string | null;
  readonly options: readonly CliOptionDocument[];
  readonly positionals: readonly CliPositionalDocument[];
  readonly subcommands: readonly CliCommandDocument[];
}

interface CliOptionDocument {
  /** Without the dashes, as `short` is. */
  readonly long: string;
  readonly short: string | null;
  readonly value_name: string | null;
  readonly default: string | null;
  readonly help: string;
  readonly possible_values: readonly string[];
  readonly required: boolean;
  readonly is_boolean: boolean;
}

interface CliPositionalDocument {
  readonly name: string;
  readonly help: string | null;
  readonly required: boolean;
  readonly multiple: boolean;
}

export function dumpCliJson(ctx: Context, program: AnyCommand): void {
  ctx.say(JSON.stringify(documentCommand(program), null, 2));
}

/** Keys and their order are those of bootc 1.x. Help, version and whatever is hidden are left out. */
export function documentCommand(command: AnyCommand): CliCommandDocument {
  const help = command.createHelp();
  return {
    name: command.name(),
    about: command.description() || null,
    options: help
      .visibleOptions(command)
      .filter((it) => command.options.includes(it) && it.long !== "--version")
      .map(documentOption),
    positionals: command.registeredArguments.map((it) => ({
      name: it.name(),
      help: it.description || null,
      required: it.required,
      multiple: it.variadic,
    })),
    subcommands: help
      .visibleCommands(command)
      .filter((it) => command.commands.includes(it))
      .map(documentCommand),
  };
}

function documentOption(option: AnyCommand["options"][number]): CliOptionDocument {
  const { defaultValue, flags } = option;
  const [, valueName] = /[<[]([^\]>.]+)/.exec(flags) ?? [];
  return {
    long: (option.long ?? option.short ?? "").replace(/^-+/, ""),
    short: option.short?.replace(/^-/, "") ?? null,
    value_name: valueName?.toUpperCase().replaceAll("-", "_") ?? null,
    default: typeof defaultValue === "string" ? defaultValue : null,
    help: option.description,
    possible_values: option.argChoices ?? [],
    required: option.mandatory,
    is_boolean: valueName === undefined,
  };
}
