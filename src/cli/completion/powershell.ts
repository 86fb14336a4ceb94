// Completion for PowerShell: a script block that knows the commands by `switch`, which can respect case.
import type { CommandTree } from "../tree.ts";
import { type CommandOffers, type Offer, readCompletionTable } from "./table.ts";

/** A script for $PROFILE, or a file that it dots. */
export function formatPowershellCompletion(tree: CommandTree): string {
  const name = tree.path[0] ?? "";
  const { steps, valued, values, commands } = readCompletionTable(tree);
  return `# PowerShell completion for ${name}; made from its command line

Register-ArgumentCompleter -Native -CommandName ${quote(name)} -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    function Offer($word, $about) {
        if (-not $word.StartsWith($current, [StringComparison]::Ordinal)) { return }
        [System.Management.Automation.CompletionResult]::new($word, $word, 'ParameterValue', $about)
    }
    function Get-Values($option, $prefix) {
        switch -CaseSensitive -Exact ("$at $option") {
${formatCases(values.map(([key, choices]) => [key, choices.map(formatValue)]))}
        }
    }
    $current = "$wordToComplete"
    $at = ${quote(name)}
    $position = 0
    $pending = ''
    $words = @($commandAst.CommandElements | Select-Object -Skip 1 |
        Where-Object { $_.Extent.EndOffset -lt $cursorPosition } | ForEach-Object { $_.Extent.Text })
    foreach ($word in $words) {
        if ($pending -ne '') { $pending = ''; continue }
        switch -CaseSensitive -Exact ("$at $word") {
${formatCases([
  ...steps.map(([key, to]) => [key, [`$at = ${quote(to)}`, "$position = 0"]] as const),
  ...valued.map((key) => [key, ["$pending = $word"]] as const),
])}
            default { if (-not $word.StartsWith('-')) { $position++ } }
        }
    }
    if ($pending -ne '') { Get-Values $pending ''; return }
    if ($current -cmatch '^(-[^=]*)=') { Get-Values $Matches[1] ($Matches[1] + '='); return }
    switch -CaseSensitive -Exact ($at) {
${formatCases(commands.map((it) => [it.at, formatOffers(it)]))}
    }
}
`;
}

/** After a dash: options. Otherwise: subcommands, or the choices of the next argument. */
function formatOffers({ subcommands, aliases, options, args }: CommandOffers): readonly string[] {
  const plain = [
    ...subcommands.map((it) => `if ($position -eq 0) { ${formatOffer(it)} }`),
    ...aliases.map(([name, alias, about]) => {
      const isOther = `-not ${quote(name)}.StartsWith($current, [StringComparison]::Ordinal)`;
      return `if ($position -eq 0 -and ${isOther}) { ${formatOffer([alias, about])} }`;
    }),
    ...args.flatMap(({ from, to, offers }) =>
      offers.map(
        (it) => `if ($position -ge ${from} -and $position -le ${to}) { ${formatOffer(it)} }`,
      ),
    ),
  ];
  const dashed = [...options.map(formatOffer), "return"].join("; ");
  return [`if ($current.StartsWith('-')) { ${dashed} }`, ...plain];
}

function formatOffer([word, about]: Offer): string {
  // A tooltip must not be empty.
  return `Offer ${quote(word)} ${quote(about === "" ? word : about)}`;
}

function formatValue(choice: string): string {
  return `Offer ($prefix + ${quote(choice)}) ${quote(choice)}`;
}

function formatCases(cases: readonly (readonly [key: string, lines: readonly string[]])[]): string {
  return cases
    .map(([key, lines]) => {
      const body = lines.map((it) => `                ${it}`).join("\n");
      return `            ${quote(key)} {\n${body}\n                break\n            }`;
    })
    .join("\n");
}

/** In single quotes only the quotes themselves are special, curly ones included; they are doubled. */
function quote(text: string): string {
  return `'${text.replace(/['\u2018-\u201b]/g, "$&$&")}'`;
}
