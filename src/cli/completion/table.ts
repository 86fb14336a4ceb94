// What a completion has to know, as rows: for shells whose scripts look it up.
import {
  allCommands,
  type CommandTree,
  commandNames,
  type OptionInfo,
  optionNames,
} from "../tree.ts";

/** A word to offer, and what it is. */
export type Offer = readonly [word: string, about: string];

export interface CompletionTable {
  /** `COMMAND WORD`, and the command that this leads to. */
  readonly steps: readonly (readonly [key: string, to: string])[];
  /** `COMMAND OPTION` of options whose value is the next word. */
  readonly valued: readonly string[];
  /** `COMMAND OPTION`, and the values to choose from. */
  readonly values: readonly (readonly [key: string, choices: readonly string[]])[];
  readonly commands: readonly CommandOffers[];
}

/** What is offered after a command. */
export interface CommandOffers {
  readonly at: string;
  readonly subcommands: readonly Offer[];
  /** Offered only when the typed text can no longer become the command's name. */
  readonly aliases: readonly (readonly [name: string, ...Offer])[];
  readonly options: readonly Offer[];
  readonly args: readonly ArgumentOffers[];
}

export interface ArgumentOffers {
  readonly from: number;
  readonly to: number;
  readonly offers: readonly Offer[];
}

export function readCompletionTable(tree: CommandTree): CompletionTable {
  const commands = allCommands(tree);
  return {
    steps: commands.flatMap(readSteps),
    valued: commands.flatMap(({ path, options, hiddenValued }) =>
      [...options.filter((it) => it.value?.isRequired).flatMap(optionNames), ...hiddenValued].map(
        (it) => keyOf(path, it),
      ),
    ),
    values: commands.flatMap(({ path, options }) =>
      options
        .filter(hasChoices)
        .flatMap((option) =>
          optionNames(option).map((it) => [keyOf(path, it), option.choices] as const),
        ),
    ),
    commands: commands.map(readOffers),
  };
}

function keyOf(path: readonly string[], word: string): string {
  return `${path.join(" ")} ${word}`;
}

function hasChoices({ value, choices }: OptionInfo): boolean {
  return value !== undefined && choices.length > 0;
}

/** After `help`, the same words may follow as before it. */
function readSteps({ path, subcommands, aboutHelp }: CommandTree) {
  const steps = subcommands.flatMap((it) =>
    commandNames(it).map((name) => [keyOf(path, name), it.path.join(" ")] as const),
  );
  const help = aboutHelp === undefined ? [] : [[keyOf(path, "help"), path.join(" ")] as const];
  return [...steps, ...help];
}

function readOffers(command: CommandTree): CommandOffers {
  const { path, subcommands, options, args, aboutHelp } = command;
  const nameOf = (it: CommandTree) => it.path.at(-1) ?? "";
  return {
    at: path.join(" "),
    subcommands: [
      ...subcommands.map((it) => [nameOf(it), it.description] as const),
      ...(aboutHelp === undefined ? [] : [["help", aboutHelp] as const]),
    ],
    aliases: subcommands.flatMap((it) =>
      it.aliases.map((alias) => [nameOf(it), alias, it.description] as const),
    ),
    options: options.flatMap((option) =>
      optionNames(option).map((it) => [it, option.description] as const),
    ),
    args: args.flatMap(({ choices, isVariadic, description }, i) =>
      choices.length === 0
        ? []
        : [
            {
              from: i,
              to: isVariadic ? 999 : i,
              offers: choices.map((it) => [it, description] as const),
            },
          ],
    ),
  };
}
