// The command line as data: what man pages and completions are made of is what parses.
import type { EventEmitter } from "node:events";
import type { AnyCommand, Argument, Option } from "./commander.ts";

export interface CommandTree {
  /** From the program's name on: `["bootc", "image", "list"]`. */
  readonly path: readonly string[];
  /** What can be typed in place of its last word. */
  readonly aliases: readonly string[];
  readonly description: string;
  /** As in help, without the path: `[options] <image>`. */
  readonly usage: string;
  readonly options: readonly OptionInfo[];
  /** Names of hidden options that take a value: what reads a command line has to know them. */
  readonly hiddenValued: readonly string[];
  readonly args: readonly ArgumentInfo[];
  /** Hidden ones left out. */
  readonly subcommands: readonly CommandTree[];
  /** What `help` in place of a subcommand is said to do; none when it is not understood there. */
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
  /** The value's name, `format` of `--format <format>`; none for a switch. */
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

/** The tree below `command`, hidden commands, options and arguments left out. */
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
    // Commander adds a `help` of its own, which is nobody's command.
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

/** Commander hands the texts of `addHelpText` to whoever asks as it does itself. */
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

/** What can be typed for a command in place of its last word, first its name. */
export function commandNames({ path, aliases }: CommandTree): readonly string[] {
  return [path.at(-1) ?? "", ...aliases];
}

/** What can be typed for an option: `-v`, `--verbose`. */
export function optionNames({ short, long }: OptionNames): readonly string[] {
  return [short, long].filter((it) => it !== undefined);
}
