// Completion for elvish: tables, and a function that looks into them.
import type { CommandTree } from "../tree.ts";
import { type CommandOffers, type Offer, readCompletionTable } from "./table.ts";

/** A script for rc.elv, or a module that it uses. */
export function formatElvishCompletion(tree: CommandTree): string {
  const name = tree.path[0] ?? "";
  const { steps, valued, values, commands } = readCompletionTable(tree);
  return `# elvish completion for ${name}; made from its command line
use str

set edit:completion:arg-completer[${name}] = {|@words|
    var steps = ${formatMap(steps.map(([key, to]) => [key, quote(to)]))}
    var valued = ${formatMap(valued.map((key) => [key, "$true"]))}
    var values = ${formatMap(values.map(([key, choices]) => [key, formatList(choices.map(quote))]))}
    var subcommands = ${formatOffers(commands, (it) => it.subcommands)}
    var aliases = ${formatMap(commands.map((it) => [it.at, formatList(it.aliases.map(formatWords))]))}
    var options = ${formatOffers(commands, (it) => it.options)}
    var arguments = ${formatMap(commands.map((it) => [it.at, formatList(it.args.map(formatArgument))]))}

    fn offer {|rows|
        for row $rows {
            edit:complex-candidate $row[0] &display=$row[0]'  '$row[1]
        }
    }

    var current = $words[-1]
    var at = ${quote(name)}
    var position = 0
    var pending = ''
    for word $words[1..-1] {
        var key = $at' '$word
        if (not-eq $pending '') {
            set pending = ''
        } elif (has-key $steps $key) {
            set at = $steps[$key]
            set position = 0
        } elif (has-key $valued $key) {
            set pending = $key
        } elif (not (str:has-prefix $word '-')) {
            set position = (+ $position 1)
        }
    }
    if (not-eq $pending '') {
        if (has-key $values $pending) {
            all $values[$pending]
        } else {
            edit:complete-filename $current
        }
    } elif (and (str:has-prefix $current '-') (str:contains $current '=')) {
        var option = [(str:split &max=2 '=' $current)][0]
        if (has-key $values $at' '$option) {
            for value $values[$at' '$option] {
                put $option'='$value
            }
        }
    } elif (str:has-prefix $current '-') {
        offer $options[$at]
    } else {
        if (== $position 0) {
            offer $subcommands[$at]
            for row $aliases[$at] {
                if (not (str:has-prefix $row[0] $current)) {
                    offer [$row[1..]]
                }
            }
        }
        for row $arguments[$at] {
            if (and (<= $row[0] $position) (<= $position $row[1])) {
                offer $row[2]
            }
        }
        if (and (== (count $subcommands[$at]) 0) (== (count $arguments[$at]) 0)) {
            edit:complete-filename $current
        }
    }
}
`;
}

function formatOffers(
  commands: readonly CommandOffers[],
  select: (command: CommandOffers) => readonly Offer[],
): string {
  return formatMap(commands.map((it) => [it.at, formatList(select(it).map(formatWords))]));
}

function formatArgument({ from, to, offers }: CommandOffers["args"][number]): string {
  return formatList([String(from), String(to), formatList(offers.map(formatWords))]);
}

function formatWords(words: readonly string[]): string {
  return formatList(words.map(quote));
}

function formatList(items: readonly string[]): string {
  return `[${items.join(" ")}]`;
}

/** `[&]` is the empty map; `[]` would be a list. */
function formatMap(entries: readonly (readonly [key: string, value: string])[]): string {
  if (entries.length === 0) return "[&]";
  const rows = entries.map(([key, value]) => `        &${quote(key)}=${value}`);
  return `[\n${rows.join("\n")}\n    ]`;
}

/** In elvish's single quotes only the quote itself is special, and is doubled. */
function quote(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
