// Completion scripts in the real shells: they offer what the command line accepts.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type AnyCommand, Argument, Command, Option } from "../../src/cli/commander.ts";
import { createProgram } from "../../src/cli/program.ts";
import { allCommands, readCommandTree } from "../../src/cli/tree.ts";
import { formatCompletion } from "../../src/commands/completion.ts";
import { createContext } from "../../src/system/run.ts";

/** A command line with all that makes trouble: nesting, hidden parts, choices, quotes and brackets. */
function trickyProgram(): AnyCommand {
  const program = new Command("tricky").option("-q, --quiet", 'it\'s [quiet]: $HOME `x` "y"');
  program.helpCommand(false);
  program
    .command("run")
    .alias("execute")
    .alias("x")
    .description("it's a [run]: $HOME `x`")
    .argument("<image>", "what to run")
    .addArgument(new Argument("[mode]", "how").choices(["fast", "slow"]))
    .addOption(new Option("-c, --color <when>", "use colour").choices(["always", "never"]))
    .addOption(new Option("--secret <word>", "not shown").hideHelp())
    .option("--file <path>", "a file")
    .option("--no-cache", "without cache");
  const image = program.command("image").alias("images").description("images");
  image.helpCommand("help [command...]", "print help");
  image.command("list").option("--all", "all of them");
  image
    .command("copy")
    .alias("cp")
    .addArgument(new Argument("<to...>", "where").choices(["here", "there"]));
  program.command("internal", { hidden: true }).option("--never");
  return program;
}

type Complete = (script: string, name: string, line: string) => readonly string[];

function scriptFile(program: AnyCommand, shell: string): string {
  const path = join(mkdtempSync(join(tmpdir(), "completion-")), `_${program.name()}`);
  writeFileSync(path, formatCompletion(program, shell));
  return path;
}

/** Words as readline splits them: at spaces, and around each `=`. */
const completeBash: Complete = (script, name, line) => {
  const words = line
    .split(" ")
    .flatMap((it) => it.split(/(=)/).filter((part, i) => part || i === 0));
  if (line.endsWith("=")) words.push("");
  const driver = `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _${name}
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  const out = execFileSync("bash", ["-c", driver, "bash", script, ...words], { encoding: "utf8" });
  return out.split("\n").filter((it) => it !== "");
};

/** A pseudo-terminal, because zsh completes only interactive input. */
const completeZsh: Complete = (script, _name, line) => {
  const folder = mkdtempSync(join(tmpdir(), "zsh-"));
  const inner = join(folder, "inner.zsh");
  const found = join(folder, "found");
  writeFileSync(
    inner,
    `autoload -Uz compinit; compinit -u -D
compadd() {
  if [[ \${@[1,(i)(-|--)]} == *-(O|A|D)\\ * ]]; then builtin compadd "$@"; return; fi
  local -a hits
  builtin compadd -A hits "$@"
  print -rl -- $hits >> ${found}
  builtin compadd "$@"
}
source ${script}
bindkey '^I' complete-word
finish() { print done >> ${found}; zle -I }
zle -N finish; bindkey '^X' finish
print ready >> ${found}
`,
  );
  const outer = `zmodload zsh/zpty zsh/zselect
zpty inner env TERM=dumb HOME=${folder} zsh -f -i
wait_for() {
  local i
  for i in {1..1500}; do
    grep -qx $1 ${found} 2>/dev/null && return
    zpty -r -t inner >/dev/null
    zselect -t 1
  done
  print "zsh: no $1" >&2; exit 1
}
zpty -w inner 'source ${inner}'
wait_for ready
zpty -w -n inner "$1"$'\\t'$'\\x18'
wait_for done
`;
  const got = spawnSync("zsh", ["-f", "-c", outer, "zsh", line], { encoding: "utf8" });
  expect(got.stderr).toBe("");
  const lines = readFileSync(found, "utf8").split("\n");
  return lines.slice(lines.indexOf("ready") + 1, lines.indexOf("done")).filter((it) => it !== "");
};

const completeFish: Complete = (script, _name, line) => {
  const args = ["--no-config", "-c", 'source "$argv[1]"; complete -C "$argv[2]"', script, line];
  const out = execFileSync("fish", args, { encoding: "utf8" });
  return out.split("\n").flatMap((it) => (it === "" ? [] : [it.split("\t")[0] ?? ""]));
};

/**
 * The editor exists only at a terminal, so its functions are replaced by ones that print. It filters by
 * itself what a completer offers.
 */
const completeElvish: Complete = (script, name, line) => {
  const driver = `use str
var edit: = (ns [
  &completion:=(ns [&arg-completer=[&]])
  &complex-candidate~={|word &display=''| put $word }
  &complete-filename~={|@words| }
])
${readFileSync(script, "utf8")}
var words = [(all $args)]
$edit:completion:arg-completer[${name}] $@words | each {|word|
  if (str:has-prefix $word $words[-1]) { print $word"\n" }
}
`;
  const path = `${script}.elv`;
  writeFileSync(path, driver);
  const out = execFileSync("elvish", ["-norc", path, ...line.split(" ")], { encoding: "utf8" });
  return out.split("\n").filter((it) => it !== "");
};

const SHELLS = [
  { shell: "bash", complete: completeBash },
  { shell: "zsh", complete: completeZsh },
  { shell: "fish", complete: completeFish },
  { shell: "elvish", complete: completeElvish },
] as const;

/** Debian does not have PowerShell, whose script is only read (see src/cli/completion). */
const isThere = (shell: string) =>
  spawnSync(shell, [shell === "elvish" ? "-version" : "--version"]).status === 0;

/** Words that must be offered, and words that must not. */
const LINES = [
  { line: "tricky ", want: ["run", "image"], not: ["internal", "list"] },
  { line: "tricky r", want: ["run"], not: ["image"] },
  { line: "tricky --qu", want: ["--quiet"], not: ["run"] },
  { line: "tricky run --", want: ["--color", "--file", "--no-cache"], not: ["--secret", "--all"] },
  { line: "tricky run --color ", want: ["always", "never"], not: ["fast"] },
  { line: "tricky run --color=n", want: ["never"], not: ["always", "fast"] },
  { line: "tricky run -c a", want: ["always"], not: ["never"] },
  { line: "tricky run --color never img ", want: ["fast", "slow"], not: ["never"] },
  { line: "tricky run --color=never img s", want: ["slow"], not: ["fast"] },
  { line: "tricky run --secret fast img f", want: ["fast"], not: ["slow"] },
  { line: "tricky image ", want: ["list", "copy"], not: ["run"] },
  { line: "tricky image list --a", want: ["--all"], not: ["--color"] },
  { line: "tricky image copy ", want: ["here", "there"], not: ["list"] },
  { line: "tricky image copy here there he", want: ["here"], not: ["there"] },
  { line: "tricky execute --color ", want: ["always", "never"], not: ["fast"] },
  { line: "tricky x --", want: ["--color", "--file"], not: ["--quiet", "--all"] },
  { line: "tricky execute --color=never img s", want: ["slow"], not: ["fast"] },
  { line: "tricky images ", want: ["list", "copy"], not: ["run"] },
  { line: "tricky images cp there he", want: ["here"], not: ["there", "list"] },
  { line: "tricky image h", want: ["help"], not: ["list"] },
  { line: "tricky image help ", want: ["list", "copy"], not: ["run"] },
  { line: "tricky h", want: [], not: ["help"] },
];

describe.each(SHELLS)("$shell", ({ shell, complete }) => {
  const missing = isThere(shell) ? "" : ` (skipped: ${shell} is not installed)`;

  test.skipIf(missing !== "").each(LINES)(`after "$line"${missing}`, ({ line, want, not }) => {
    const offered = complete(scriptFile(trickyProgram(), shell), "tricky", line);
    const plain = offered.map((it) => it.replace(/^--color=(?=.)/, "").replace(/=$/, ""));
    expect(plain).toEqual(expect.arrayContaining(want));
    for (const it of not) expect(plain).not.toContain(it);
  });

  test.skipIf(missing !== "")(`every visible command of bootc is offered${missing}`, () => {
    const program = createProgram(createContext());
    const script = scriptFile(program, shell);
    const groups = allCommands(readCommandTree(program)).filter((it) => it.subcommands.length > 0);
    for (const { path, subcommands } of groups) {
      const offered = complete(script, "bootc", `${path.join(" ")} `);
      const names = subcommands.map((it) => it.path.at(-1));
      expect(offered).toEqual(expect.arrayContaining([...names, "help"]));
    }
  });

  const chosen = allCommands(readCommandTree(createProgram(createContext()))).flatMap((command) =>
    command.options.flatMap(({ long, choices }) =>
      long === undefined || choices.length === 0 ? [] : [{ command, long, choices }],
    ),
  );

  test.skipIf(missing !== "").each(
    chosen.map(({ command, long, choices }) => ({
      line: `${command.path.join(" ")} ${long} `,
      choices,
    })),
  )(`after "$line" all its values are offered${missing}`, ({ line, choices }) => {
    const script = scriptFile(createProgram(createContext()), shell);
    expect(complete(script, "bootc", line).toSorted()).toEqual(choices.toSorted());
  });

  test.skipIf(missing !== "").each([
    { line: "bootc u", want: ["updates", "upgrade", "usr-overlay"] },
    { line: "bootc upd", want: ["update", "updates"] },
    { line: "bootc usro", want: ["usroverlay"] },
    { line: "bootc help upd", want: ["update", "updates"] },
    { line: "bootc update --soft-reboot ", want: ["required", "auto"] },
    { line: "bootc update --app", want: ["--apply"] },
    { line: "bootc help st", want: ["status"] },
    { line: "bootc help install to-d", want: ["to-disk"] },
    { line: "bootc install help to-d", want: ["to-disk"] },
    { line: "bootc usroverlay --read", want: ["--read-only"] },
    {
      line: "bootc switch --transport oci",
      want: ["oci", "oci-archive"],
    },
    { line: "bootc install to-disk --target-transport cont", want: ["containers-storage"] },
    { line: "bootc status --format-version ", want: ["0", "1"] },
  ])(`after "$line" nothing but $want is offered${missing}`, ({ line, want }) => {
    const script = scriptFile(createProgram(createContext()), shell);
    expect(complete(script, "bootc", line).toSorted()).toEqual(want.toSorted());
  });
});
