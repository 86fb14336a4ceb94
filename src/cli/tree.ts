// The command line as data, from which man pages and completions are generated.
import type { EventEmitter } from "node:events";
import type { AnyCommand, Argument, Option } from "./commander.ts";

export interface CommandTree {
  /** Starts with the program's name: `["bootc", "image", "list"]`. */
  readonly path: readonly string[];
  /** Other words for the last one of the path. */
  readonly aliases: readonly string[];
  readonly description: string;
  /** As help prints it, without the path: `[options] <image>`. */
  readonly usage: string;
  readonly options: readonly OptionInfo[];
  /** Names of hidden options that take a value; completions need them to understand a command line. */
  readonly hiddenValued: readonly string[];
  readonly args: readonly ArgumentInfo[];
  /** Without hidden ones. */
  readonly subcommands: readonly CommandTree[];
  /** The description of `help` as a subcommand; undefined where `help` is not understood. */
  readonly aboutHelp: string | undefined;
  /** Text that help prints after the lists: examples. */
  readonly afterText: string;
}

interface OptionNames {
  readonly short?: string | undefined;
  readonly long?: string | undefined;
}

export interface OptionInfo {
  readonly short: string | undefined;
  readonly long: string | undefined;
  readonly description: string;
  /** The value's name is `format` for `--format <format>`. Undefined for a switch. */
  readonly value: { readonly name: string; readonly isRequired: boolean } | undefined;
  readonly choices: readonly string[];
  readonly defaultText: string | undefined;
}

export interface ArgumentInfo {
  readonly name: string;
  readonly description: string;
  readonly isRequired: boolean;
  readonly isVariadic: boolean;
  readonly choices: readonly string[];
}

/** The tree below `command`, without hidden commands and options. */
export function readCommandTree(command: AnyCommand, above: readonly string[] = []): CommandTree {
  const help = command.createHelp();
  const path = [...above, command.name()];
  const visible = help.visibleOptions(command);
  const commands = help.visibleCommands(command);
  const hidden = command.options.filter((it) => !visible.includes(it));
  return {
    path,
    aliases: command.aliases(),
    description: command.description(),
    usage: command.usage(),
    options: visible.map(readOption),
    hiddenValued: hidden.filter(takesValue).flatMap(optionNames),
    args: command.registeredArguments.map(readArgument),
    subcommands: commands
      .filter((it) => command.commands.includes(it))
      .map((it) => readCommandTree(it, path)),
    // `help` is commander's own command and not one of ours.
    aboutHelp: commands.find((it) => !command.commands.includes(it))?.description(),
    afterText: readAfterText(command),
  };
}

function readOption(option: Option): OptionInfo {
  const [, name] = /[<[]([^\]>.]+)/.exec(option.flags) ?? [];
  return {
    short: option.short,
    long: option.long,
    description: option.description,
    value: takesValue(option) ? { name: name ?? "value", isRequired: option.required } : undefined,
    choices: option.argChoices ?? [],
    defaultText: readDefault(option),
  };
}

function takesValue(option: Option): boolean {
  return option.required || option.optional;
}

function readDefault(option: Option): string | undefined {
  if (option.defaultValueDescription !== undefined) return option.defaultValueDescription;
  const value: unknown = option.defaultValue;
  return takesValue(option) && (typeof value === "string" || typeof value === "number")
    ? String(value)
    : undefined;
}

function readArgument(argument: Argument): ArgumentInfo {
  return {
    name: argument.name(),
    description: argument.description,
    isRequired: argument.required,
    isVariadic: argument.variadic,
    choices: argument.argChoices ?? [],
  };
}

/** Collects the texts of `addHelpText` with the event that commander itself emits for them. */
function readAfterText(command: AnyCommand): string {
  let text = "";
  const write = (part: string) => {
    text += part;
  };
  // Commander is an EventEmitter, which its types do not say.
  (command as unknown as EventEmitter).emit("afterHelp", { error: false, command, write });
  return text.trim();
}

/** `tree` and every command below it, parents first. */
export function allCommands(tree: CommandTree): readonly CommandTree[] {
  return [tree, ...tree.subcommands.flatMap(allCommands)];
}

/** The name of a command, followed by its aliases. */
export function commandNames({ path, aliases }: CommandTree): readonly string[] {
  return [path.at(-1) ?? "", ...aliases];
}

/** The spellings of an option: `-v`, `--verbose`. */
export function optionNames({ short, long }: OptionNames): readonly string[] {
  return [short, long].filter((it) => it !== undefined);
}
