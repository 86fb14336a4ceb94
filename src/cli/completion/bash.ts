// Completion for bash: one function, which does not need the package bash-completion.
import { allCommands, type CommandTree, commandNames, optionNames } from "../tree.ts";
import { quotePosix } from "./quote.ts";

/** A script that defines the completion of `tree` when it is sourced. */
export function formatBashCompletion(tree: CommandTree): string {
  const name = tree.path[0] ?? "";
  const commands = allCommands(tree);
  return `# bash completion for ${name}; made from its command line

_${name}() {
    local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]}
    local at=${name} position=0 word i
    # bash hands over "--option=value" as three words.
    if [[ $cur == = ]]; then
        cur=
    elif [[ $prev == = && COMP_CWORD -ge 2 ]]; then
        prev=\${COMP_WORDS[COMP_CWORD-2]}
    fi
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=\${COMP_WORDS[i]}
        case "$at $word" in
${indent(8, [...commands.flatMap(formatSteps), ...commands.flatMap(formatSkips)])}
        *' -'*) ;;
        *) position=$((position + 1)) ;;
        esac
    done
    COMPREPLY=()
    case "$at $prev" in
${indent(4, commands.flatMap(formatValues))}
    esac
    local words=
    case $at in
${indent(4, commands.flatMap(formatWords))}
    esac
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
}

complete -o bashdefault -o default -F _${name} ${name}
`;
}

function indent(columns: number, lines: readonly string[]): string {
  return lines.map((it) => `${" ".repeat(columns)}${it}`).join("\n");
}

/** Where a subcommand's name leads. After `help`, the same words may follow as before it. */
function formatSteps({ path, subcommands, aboutHelp }: CommandTree): readonly string[] {
  const at = path.join(" ");
  const steps = subcommands.map((it) => ({ names: commandNames(it), to: it.path.join(" ") }));
  const help = aboutHelp === undefined ? [] : [{ names: ["help"], to: at }];
  return [...steps, ...help].map(({ names, to }) => {
    const patterns = names.map((it) => quotePosix(`${at} ${it}`)).join("|");
    return `${patterns}) at=${quotePosix(to)} position=0 ;;`;
  });
}

/** Skips the value after an option that takes one. */
function formatSkips({ path, options, hiddenValued }: CommandTree): readonly string[] {
  const valued = options.filter((it) => it.value?.isRequired).flatMap(optionNames);
  const patterns = [...valued, ...hiddenValued].map((it) => quotePosix(`${path.join(" ")} ${it}`));
  if (patterns.length === 0) return [];
  return [`${patterns.join("|")}) [[ \${COMP_WORDS[++i]} == = ]] && ((++i)) ;;`];
}

/** After an option with a value: its choices, or else files, which bash completes by itself. */
function formatValues({ path, options, hiddenValued }: CommandTree): readonly string[] {
  const at = path.join(" ");
  const chosen = options.filter((it) => it.value && it.choices.length > 0);
  const free = options.filter((it) => it.value?.isRequired && it.choices.length === 0);
  const names = [...free.flatMap(optionNames), ...hiddenValued];
  return [
    ...chosen.map((it) => {
      const patterns = optionNames(it)
        .map((option) => quotePosix(`${at} ${option}`))
        .join("|");
      const offer = `COMPREPLY=($(compgen -W ${quoteWords(it.choices)} -- "$cur"))`;
      return `${patterns}) ${offer}; return ;;`;
    }),
    ...(names.length === 0
      ? []
      : [`${names.map((it) => quotePosix(`${at} ${it}`)).join("|")}) return ;;`]),
  ];
}

/** After a dash: options. Otherwise: subcommands, or the choices of the next argument. */
function formatWords(command: CommandTree): readonly string[] {
  const { path, options, subcommands, args, aboutHelp } = command;
  const dashed = quoteWords(options.flatMap(optionNames));
  const names = subcommands.map((it) => it.path.at(-1) ?? "");
  if (aboutHelp !== undefined) names.push("help");
  const byPosition = args.flatMap(({ choices, isVariadic }, i) => {
    if (choices.length === 0) return [];
    return [
      `elif ((position ${isVariadic ? ">=" : "=="} ${i})); then words=${quoteWords(choices)}`,
    ];
  });
  const plain =
    names.length === 0 ? [] : [`elif ((position == 0)); then words+=${quoteWords(names)}`];
  return [
    `${quotePosix(path.join(" "))})`,
    ...subcommands.flatMap(formatAliases).map((it) => `    ${it}`),
    `    if [[ $cur == -* ]]; then words=${dashed}`,
    ...[...plain, ...byPosition].map((it) => `    ${it}`),
    "    fi ;;",
  ];
}

/** Offers an alias only when the typed text can no longer become the command's name. */
function formatAliases({ path, aliases }: CommandTree): readonly string[] {
  if (aliases.length === 0) return [];
  const isOther = `[[ ${quotePosix(path.at(-1) ?? "")} == "$cur"* ]]`;
  return [`${isOther} || ((position)) || words=${quoteWords(["", ...aliases, ""])}$words`];
}

function quoteWords(words: readonly string[]): string {
  return quotePosix(words.join(" "));
}
