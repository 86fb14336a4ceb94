// `xtask ci`: the one list of checks that every commit on main must pass. `.ci/run` and the workflows run it.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { BootcError, messageOf } from "../src/errors.ts";
import { formatCommand } from "../src/system/quote.ts";
import { defineTask, type Tree } from "./task.ts";

/** A command, run in the checkout. */
interface Step {
  /** Its program and arguments, without `--yes`, which every step understands. */
  readonly words: readonly [program: string, ...args: string[]];
  readonly env?: Readonly<Record<string, string>>;
}

const xtask = (...args: readonly string[]): Step => ({ words: ["node", "xtask/run.cjs", ...args] });

/** The commands that the README gives, under settings that must not change what they do. */
const readme = (...args: readonly string[]): Step => ({
  words: ["npm", ...args],
  env: { NODE_ENV: "production", npm_config_loglevel: "verbose" },
});

/** Neither root nor network. */
const QUICK: readonly Step[] = [xtask("lint"), xtask("test", "unit", "cli")];

const ALL: readonly Step[] = [
  xtask("setup", "--tests"),
  xtask("lint"),
  readme("run", "xtask", "--", "package-srpm"),
  readme("test", "--"),
  // Different inputs every day: the seed is the date, and the first line of the output shows it.
  xtask("hostile-inputs", "--tars", "200", "--documents", "50"),
  // What this program writes is recorded anew.
  xtask("crash-states", "--anew", "--recording", "ext4", "--count", "300"),
  // Its kernel exists for no other processor.
  ...(process.arch === "x64"
    ? [xtask("crash-states", "--boot", "--anew", "--recording", "ext4", "--count", "3")]
    : []),
  xtask("copr", "emulate"),
  // Uses the package just made. The scenarios take an hour and have their own command: `xtask test vm`.
  xtask("test", "vm", "--filter", "core"),
];

export const task = defineTask({
  declare: (command) =>
    command
      .option("--quick", "only lint and the suites that need neither root nor network")
      .option("--only <text>", "only the steps whose command contains this text")
      .option("--dry-run", "print the commands and run nothing")
      .addHelpText(
        "after",
        [
          "",
          "A step that fails does not stop the others. `xtask test --counts` adds up their results.",
          "",
          "Examples:",
          "  npm run xtask -- ci --quick",
          "  npm run xtask -- ci --only hostile-inputs",
        ].join("\n"),
      ),
  async run(tree, options) {
    const { only } = options;
    const isQuick = options.quick === true;
    const steps = (isQuick ? QUICK : ALL).filter(
      (it) => only === undefined || it.words.join(" ").includes(only),
    );
    if (steps.length === 0) {
      throw new BootcError(`no step contains \`${only}\``, {
        kind: "usage",
        hint: "`xtask ci --dry-run` lists the steps",
      });
    }
    if (options.dryRun === true) return steps.map((it) => format(tree, it)).join("\n");
    if (!isQuick && only === undefined) await removeResults(tree);
    await runSteps(tree, steps);
    return undefined;
  },
});

/** The sum of all results must not contain those of an earlier run. */
async function removeResults({ top }: Tree): Promise<void> {
  for (const folder of ["tests", "hostile"]) {
    await rm(join(top, "target", folder), { recursive: true, force: true });
  }
}

/** Runs every step, then fails if any of them failed. */
async function runSteps(tree: Tree, steps: readonly Step[]): Promise<void> {
  const { ctx, top } = tree;
  const failed: string[] = [];
  for (const step of steps) {
    const command = format(tree, step);
    ctx.note(`== ${command}`);
    try {
      const [program, ...args] = wordsOf(tree, step);
      const path = program === "node" ? process.execPath : program;
      await ctx.run(path, args, { cwd: top, env: step.env ?? {} });
    } catch (error) {
      ctx.signal.throwIfAborted();
      failed.push(command);
      // What the program printed is above.
      ctx.note(`== failed: ${messageOf(error).split(/: |\n/, 1)[0]}`);
    }
  }
  if (failed.length === 0) return;
  throw new BootcError(`${failed.length} of ${steps.length} steps failed: ${failed.join("; ")}`, {
    hint: "read what each step printed above; each command also runs alone",
  });
}

function wordsOf({ mayInstall }: Tree, { words }: Step): Step["words"] {
  return mayInstall ? [...words, "--yes"] : words;
}

/** The command as it can be pasted into a shell. */
function format(tree: Tree, step: Step): string {
  const settings = Object.entries(step.env ?? {}).map(([name, value]) => `${name}=${value}`);
  const [program, ...args] = wordsOf(tree, step);
  return settings.length === 0
    ? formatCommand(program, args)
    : formatCommand("env", [...settings, program, ...args]);
}
