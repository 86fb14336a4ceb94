// Debian has no PowerShell, so only the form of the script is checked.
import { expect, test } from "vitest";
import { createContext } from "../../system/run.ts";
import { Argument, Command, Option } from "../commander.ts";
import { createProgram } from "../program.ts";
import { readCommandTree } from "../tree.ts";
import { formatPowershellCompletion } from "./powershell.ts";

/** What is wrong with quotes and brackets, by PowerShell's rules: a quote in a string is doubled. */
function findFault(script: string): string | undefined {
  const code = script.replace(/^#.*$/gm, "").replaceAll(/'(?:[^'\n]|'')*'/g, "");
  if (code.includes("'")) return "a quote is not closed";
  const closing: Readonly<Record<string, string>> = { "{": "}", "(": ")", "[": "]" };
  const expected: string[] = [];
  for (const it of code.replaceAll(/"[^"\n]*"/g, "")) {
    if (it in closing) expected.push(closing[it] ?? "");
    else if ("})]".includes(it) && expected.pop() !== it) return `a bracket too many: ${it}`;
  }
  return expected.length === 0 ? undefined : "a bracket is not closed";
}

test("quotes and brackets are closed, whatever descriptions contain", () => {
  const program = new Command("tricky").option(
    "-q, --quiet",
    'it\'s \u2019[quiet]: $HOME `x` {"y"',
  );
  program.command("run").addArgument(new Argument("[mode]", "(how").choices(["it's"]));
  expect(findFault(formatPowershellCompletion(readCommandTree(program)))).toBeUndefined();
  const bootc = formatPowershellCompletion(readCommandTree(createProgram(createContext())));
  expect(findFault(bootc)).toBeUndefined();
});

test("the check finds faults", () => {
  expect([findFault("'a"), findFault("{ ( }"), findFault("{")]).toEqual([
    "a quote is not closed",
    "a bracket too many: }",
    "a bracket is not closed",
  ]);
});

test("a small script", () => {
  const program = new Command("tiny").helpCommand(false);
  program
    .command("run")
    .alias("go")
    .description("run it")
    .addOption(new Option("-c, --color <when>", "colours").choices(["never"]));
  const script = formatPowershellCompletion(readCommandTree(program));
  expect(script.slice(script.indexOf("    $current ="))).toMatchInlineSnapshot(`
    "    $current = "$wordToComplete"
        $at = 'tiny'
        $position = 0
        $pending = ''
        $words = @($commandAst.CommandElements | Select-Object -Skip 1 |
            Where-Object { $_.Extent.EndOffset -lt $cursorPosition } | ForEach-Object { $_.Extent.Text })
        foreach ($word in $words) {
            if ($pending -ne '') { $pending = ''; continue }
            switch -CaseSensitive -Exact ("$at $word") {
                'tiny run' {
                    $at = 'tiny run'
                    $position = 0
                    break
                }
                'tiny go' {
                    $at = 'tiny run'
                    $position = 0
                    break
                }
                'tiny run -c' {
                    $pending = $word
                    break
                }
                'tiny run --color' {
                    $pending = $word
                    break
                }
                default { if (-not $word.StartsWith('-')) { $position++ } }
            }
        }
        if ($pending -ne '') { Get-Values $pending ''; return }
        if ($current -cmatch '^(-[^=]*)=') { Get-Values $Matches[1] ($Matches[1] + '='); return }
        switch -CaseSensitive -Exact ($at) {
                'tiny' {
                    if ($current.StartsWith('-')) { Offer '-h' 'display help for command'; Offer '--help' 'display help for command'; return }
                    if ($position -eq 0) { Offer 'run' 'run it' }
                    if ($position -eq 0 -and -not 'run'.StartsWith($current, [StringComparison]::Ordinal)) { Offer 'go' 'run it' }
                    break
                }
                'tiny run' {
                    if ($current.StartsWith('-')) { Offer '-c' 'colours'; Offer '--color' 'colours'; Offer '-h' 'display help for command'; Offer '--help' 'display help for command'; return }
                    break
                }
        }
    }
    "
  `);
});
