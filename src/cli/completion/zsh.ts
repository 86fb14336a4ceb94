// Completion for zsh: a function for each command, which calls _arguments.
import {
  type ArgumentInfo,
  allCommands,
  type CommandTree,
  commandNames,
  type OptionInfo,
} from "../tree.ts";
import { quotePosix } from "./quote.ts";

/** A script for a folder of $fpath, named `_bootc`; sourcing it works as well. */
export function formatZshCompletion(tree: CommandTree): string {
  const name = tree.path[0] ?? "";
  return `#compdef ${name}
# zsh completion for ${name}; made from its command line

${allCommands(tree).map(formatFunction).join("\n")}
if [[ $funcstack[1] == _${name} ]]; then
    _${name} "$@"
elif (( $+functions[compdef] )); then
    compdef _${name} ${name}
else
    print -u2 '${name}: run compinit before this script'
fi
`;
}

function formatFunction(command: CommandTree): string {
  const { options, hiddenValued, subcommands, args, aboutHelp } = command;
  const specs = [...options.flatMap(formatOption), ...hiddenValued.map(formatHidden)];
  if (subcommands.length === 0) {
    const all = [...specs, ...args.map(formatArgument)];
    return `${functionName(command)}() {\n    _arguments -s -S${joinSpecs(all)}\n}\n`;
  }
  const described = subcommands.map((it) => [it.path.at(-1) ?? "", it.description] as const);
  if (aboutHelp !== undefined) described.push(["help", aboutHelp]);
  const names = described.map(([word, about]) => `        ${formatWord(word, about)}`);
  const title = quotePosix(`${command.path.join(" ")} command`);
  const describe = `_describe -t commands ${title} commands && ret=0`;
  const cases = subcommands.map(
    (it) => `        ${commandNames(it).join("|")}) ${functionName(it)} ;;`,
  );
  // After `help`, the same words may follow as before it.
  if (aboutHelp !== undefined) cases.push(`        help) ${functionName(command)} ;;`);
  return `${functionName(command)}() {
    local line state ret=1
    local -a commands=(
${names.join("\n")}
    )
    _arguments -s -S -C${joinSpecs([...specs, "'1: :->command'", "'*:: :->rest'"])} && ret=0
    case $state in
    command)
${[...subcommands.flatMap(formatAliases), describe].map((it) => `        ${it}`).join("\n")} ;;
    rest)
        case $line[1] in
${cases.join("\n")}
        esac && ret=0 ;;
    esac
    return ret
}
`;
}

/** A word in the form that `_describe` expects. */
function formatWord(word: string, about: string): string {
  return quotePosix(`${word.replaceAll(":", "\\:")}:${about}`);
}

/** Offers an alias only when the typed text can no longer become the command's name. */
function formatAliases({ path, aliases, description }: CommandTree): readonly string[] {
  const isName = `[[ ${quotePosix(path.at(-1) ?? "")} == "$PREFIX"* ]]`;
  return aliases.map((it) => `${isName} || commands+=(${formatWord(it, description)})`);
}

function functionName({ path }: CommandTree): string {
  return `_${path.join("_")}`;
}

function joinSpecs(specs: readonly string[]): string {
  return specs.map((it) => ` \\\n        ${it}`).join("");
}

function formatOption({ short, long, description, value, choices }: OptionInfo): readonly string[] {
  const about = `[${escapeSpec(description)}]`;
  const names = [short, long].filter((it) => it !== undefined);
  if (value === undefined) {
    const together = names.length > 1 ? `(${names.join(" ")})` : "";
    return names.map((it) => quotePosix(`${together}${it}${about}`));
  }
  const action = choices.length > 0 ? `(${choices.map(escapeSpec).join(" ")})` : "_default";
  const colon = value.isRequired ? ":" : "::";
  const rest = `${about}${colon}${escapeSpec(value.name)}:${action}`;
  // The value of a long option follows "=" or a space; that of a short one follows directly or after a space.
  // An optional value is never a word of its own: the next word is another argument.
  return names.map((it) => {
    const ending = it.startsWith("--")
      ? value.isRequired
        ? "="
        : "=-"
      : value.isRequired
        ? "+"
        : "-";
    return quotePosix(`*${it}${ending}${rest}`);
  });
}

/** A hidden option is understood, with its value, but never offered. */
function formatHidden(name: string): string {
  return quotePosix(`!${name}${name.startsWith("--") ? "=" : "+"}:value:_default`);
}

function formatArgument({ name, isRequired, isVariadic, choices }: ArgumentInfo): string {
  const action = choices.length > 0 ? `(${choices.map(escapeSpec).join(" ")})` : "_default";
  if (isVariadic) return quotePosix(`*:${escapeSpec(name)}:${action}`);
  return quotePosix(`${isRequired ? ":" : "::"}${escapeSpec(name)}:${action}`);
}

/** Brackets and colons end a part of a specification. */
function escapeSpec(text: string): string {
  return text.replace(/[\\:[\]()]/g, "\\$&");
}
