// Completion for fish: a line for each word, with the condition that its command was typed.
import {
  allCommands,
  type CommandTree,
  commandNames,
  type OptionInfo,
  optionNames,
} from "../tree.ts";

/** A script for a folder of $fish_complete_path, named `bootc.fish`. */
export function formatFishCompletion(tree: CommandTree): string {
  const name = tree.path[0] ?? "";
  const commands = allCommands(tree);
  return `# fish completion for ${name}; made from its command line

# Is the command typed so far this one, with so many arguments? Worked out once for each line.
function __${name}_at
    set -l tokens (commandline -opc)
    if test "$tokens" != "$__${name}_tokens"
        set -g __${name}_tokens $tokens
        set -g __${name}_command ${name}
        set -g __${name}_position 0
        set -l skip 0
        for token in $tokens[2..]
            if test $skip = 1
                set skip 0
                continue
            end
            switch "$__${name}_command $token"
${commands.flatMap((it) => formatSteps(name, it)).join("\n")}
${commands.flatMap(formatSkips).join("\n")}
                case '* -*'
                case '*'
                    set __${name}_position (math $__${name}_position + 1)
            end
        end
    end
    test "$__${name}_command" = "$argv[1]"; or return 1
    set -q argv[2]; or return 0
    test $__${name}_position -ge $argv[2] -a $__${name}_position -le $argv[3]
end

${commands.flatMap((it) => formatLines(name, it)).join("\n")}
`;
}

/** Where a subcommand's name leads. After `help`, the same words may follow as before it. */
function formatSteps(
  name: string,
  { path, subcommands, aboutHelp }: CommandTree,
): readonly string[] {
  const at = path.join(" ");
  const steps = subcommands.map((it) => ({ names: commandNames(it), to: it.path.join(" ") }));
  const help = aboutHelp === undefined ? [] : [{ names: ["help"], to: at }];
  return [...steps, ...help].map(({ names, to }) => {
    const patterns = names.map((it) => quote(`${at} ${it}`)).join(" ");
    return `                case ${patterns}
                    set __${name}_command ${quote(to)}
                    set __${name}_position 0`;
  });
}

function formatSkips({ path, options, hiddenValued }: CommandTree): readonly string[] {
  const valued = options.filter((it) => it.value?.isRequired).flatMap(optionNames);
  const patterns = [...valued, ...hiddenValued].map((it) => quote(`${path.join(" ")} ${it}`));
  if (patterns.length === 0) return [];
  return [`                case ${patterns.join(" ")}\n                    set skip 1`];
}

function formatLines(name: string, command: CommandTree): readonly string[] {
  const { path, options, subcommands, args, aboutHelp } = command;
  const at = path.join(" ");
  const when = (condition: string) => `complete -c ${name} -n ${quote(condition)}`;
  const place = (...range: readonly number[]) => [`__${name}_at "${at}"`, ...range].join(" ");
  const under = (...range: readonly number[]) => when(place(...range));
  // An alias is offered only when the typed text can no longer become the command's name.
  const isOther = (word: string) => `not string match -q -- (commandline -ct)"*" ${word}`;
  return [
    ...subcommands.map(
      (it) => `${under(0, 0)} -f -a ${quote(it.path.at(-1) ?? "")} -d ${quote(it.description)}`,
    ),
    ...subcommands.flatMap(({ path: to, aliases, description }) =>
      aliases.map((it) => {
        const condition = `${place(0, 0)}; and ${isOther(to.at(-1) ?? "")}`;
        return `${when(condition)} -f -a ${quote(it)} -d ${quote(description)}`;
      }),
    ),
    ...(aboutHelp === undefined ? [] : [`${under(0, 0)} -f -a help -d ${quote(aboutHelp)}`]),
    ...args.flatMap(({ choices, isVariadic, description }, i) => {
      if (choices.length === 0) return [];
      const last = isVariadic ? 999 : i;
      return [`${under(i, last)} -f -a ${quote(choices.join(" "))} -d ${quote(description)}`];
    }),
    ...options.map((it) => `${under()} ${formatOption(it)}`),
  ];
}

function formatOption({ short, long, description, value, choices }: OptionInfo): string {
  const parts = [
    ...(short === undefined ? [] : [`-s ${short.slice(1)}`]),
    ...(long === undefined ? [] : [`-l ${long.slice(2)}`]),
  ];
  if (value !== undefined && choices.length > 0) parts.push(`-x -a ${quote(choices.join(" "))}`);
  else if (value?.isRequired) parts.push("-r");
  return `${parts.join(" ")} -d ${quote(description)}`;
}

/** In fish's single quotes a backslash escapes itself and the quote. */
function quote(text: string): string {
  return `'${text.replace(/[\\']/g, "\\$&")}'`;
}
