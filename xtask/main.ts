// The runner of tasks. The list of tasks follows the packaging pipeline from top to bottom.
import { dirname } from "node:path";
import { asksForJson, resolveHelp } from "../src/cli/asked-command.ts";
import { type AnyCommand, Command, CommanderError } from "../src/cli/commander.ts";
import { BootcError, describeError, exitStatusOf, kindOf } from "../src/errors.ts";
import { tolerateClosedOutput } from "../src/process/closed-output.ts";
import { type ErrorForm, printError } from "../src/process/print-error.ts";
import { createContext } from "../src/system/run.ts";
import { readOwnOf, requireNothingSwallowed } from "./npm-run.ts";
import type { Task, TaskGroup, Tree } from "./task.ts";

type Load = () => Promise<{ readonly task: Task | TaskGroup }>;

const TASKS: Readonly<Record<string, readonly [about: string, load: Load]>> = {
  setup: ["make sure that the required programs are installed", () => import("./setup.ts")],
  version: ["print the version of this checkout", () => import("./version.ts")],
  build: ["make the executable target/bootc", () => import("./build.ts")],
  "early-functions": [
    "record which functions short commands use, for the next builds",
    () => import("./early-functions.ts"),
  ],
  runtime: [
    "check, fetch, pack or verify the pinned Node for both architectures",
    () => import("./runtime.ts"),
  ],
  man: ["write a man page for every command to target/man", () => import("./man.ts")],
  completions: [
    "write completion scripts for all shells to target/completions",
    () => import("./completions.ts"),
  ],
  licenses: [
    "write the licences of everything inside to target/LICENSE.dependencies",
    () => import("./licenses.ts"),
  ],
  sbom: ["list what is inside the executable in target/bootc.cdx.json", () => import("./sbom.ts")],
  vendor: [
    "pack the locked dependencies into an archive for builds without network",
    () => import("./vendor.ts"),
  ],
  bench: ["measure against named baselines", () => import("./bench.ts")],
  package: ["pack the source of this commit", () => import("./package.ts")],
  spec: ["write the spec file of the package", () => import("./spec.ts")],
  "package-srpm": ["make the source package that COPR builds", () => import("./package-srpm.ts")],
  "package-rpm": ["rebuild the source package offline", () => import("./package-rpm.ts")],
  "check-buildsys": [
    "make everything twice, in two clones, and say where the bytes differ",
    () => import("./check-buildsys.ts"),
  ],
  test: ["run the tests: unit, cli, repo, packages, vm", () => import("./test.ts")],
  mutate: [
    "change a source file in small ways, and list what no unit test notices",
    () => import("./mutate.ts"),
  ],
  "power-cuts": [
    "cut a virtual machine's power during updates, and print where",
    () => import("./power-cuts.ts"),
  ],
  "hostile-inputs": [
    "pull damaged layers and documents with the executable, and judge each result",
    () => import("./hostile-inputs.ts"),
  ],
  "crash-states": [
    "judge the states in which a power cut can leave a disk during an update",
    () => import("./crash-states.ts"),
  ],
  "fault-steps": [
    "let verbs fail or die at each system call that changes a file system",
    () => import("./fault-steps.ts"),
  ],
  ci: ["run every check that a commit must pass", () => import("./ci.ts")],
  clean: ["remove what tasks made; with --all, also the cache", () => import("./clean.ts")],
  lint: ["check format, lint, types and the rules of the repository", () => import("./lint.ts")],
  copr: ["build the package on COPR, and follow the builds", () => import("./copr.ts")],
  release: ["build the files of a release; publish them on GitHub", () => import("./release.ts")],
  changelog: ["check the format of CHANGELOG.md", () => import("./release/changelog.ts")],
  tidy: [
    "check what the compiler cannot: imports between folders, sizes, pages",
    () => import("./tidy.ts"),
  ],
};

/** Runs the task that `argv` names and returns the exit status. */
export async function runTask(argv: readonly string[], form: ErrorForm): Promise<number> {
  const interrupt = new AbortController();
  tolerateClosedOutput("xtask");
  // We keep listening: if execa's listener is the only one, it ends the process.
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(name, () =>
      interrupt.abort(new BootcError("interrupted", { hint: "run it again to continue" })),
    );
  }
  let isVerbose = false;
  const ctx = createContext({
    isVerbose: () => isVerbose,
    signal: interrupt.signal,
    keepsControls: true,
  });
  const mayInstall = process.env.CI === "true";
  const tree = { ctx, top: dirname(import.meta.dirname), mayInstall };
  const runner = createRunner().hook("preAction", (_, command: AnyCommand) => {
    const { json, verbose } = command.opts();
    form.isJson = json === true;
    isVerbose = verbose === true;
  });
  try {
    await declareTasks(runner, tree, argv[0] === "help" ? argv.slice(1) : argv);
    if (argv.length === 0) ctx.say(runner.helpInformation().trimEnd());
    else await runner.parseAsync([...resolveHelp(runner, argv)], { from: "user" });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    form.isJson ||= asksForJson(runner, argv);
    printError(explain(error), form);
    return exitStatusOf(error);
  }
}

/** Whatever writes next meets a full disk, and the way out is always the same. */
function explain(error: unknown): unknown {
  if (kindOf(error) !== "space" || describeError(error).hint !== null) return error;
  return new BootcError("the disk is full", {
    cause: error,
    hint: "free some space, for instance with `npm run xtask clean`, and run it again",
  });
}

function createRunner(): Command {
  return new Command("xtask")
    .usage("TASK [options]")
    .description("Build, check, package and publish bootc")
    .helpOption("-h, --help", "print help")
    .helpCommand(false)
    .showHelpAfterError("hint: `npm run xtask` lists all tasks, `--help` describes each")
    .exitOverride()
    .addHelpText(
      "after",
      "\nUnder npm, options follow two dashes:\n  npm run xtask -- build --arch arm64",
    );
}

/** Declares all tasks by name; only the requested one is loaded and declares its options. */
async function declareTasks(runner: Command, tree: Tree, argv: readonly string[]): Promise<void> {
  for (const [name, [about, load]] of Object.entries(TASKS)) {
    const command = runner.command(name).description(about).exitOverride();
    if (name === argv[0])
      await declareTask(command, tree, { task: (await load()).task, verb: argv[1] });
  }
}

interface Asked {
  readonly task: Task | TaskGroup;
  /** The second word: a verb, if the task has verbs. */
  readonly verb?: string | undefined;
}

async function declareTask(command: Command, tree: Tree, { task, verb }: Asked): Promise<void> {
  if ("verbs" in task) {
    command
      .helpCommand(false)
      .addHelpText(
        "after",
        `\nEach has options and examples:\n  npm run xtask -- ${command.name()} VERB --help`,
      );
    for (const [name, it] of Object.entries(task.verbs)) {
      const child = command.command(name).description(it.about).exitOverride();
      if (name === verb) await declareTask(child, tree, { task: it });
    }
    return;
  }
  const common = command
    .option("--verbose", "show every command before it runs")
    .option("--yes", "install missing system packages without asking");
  task.declare(command);
  await requireNothingSwallowed(process.env, command, readOwnOf(tree));
  command.action(async () => {
    const mayInstall = tree.mayInstall || common.opts().yes === true;
    const answer = await task.run({ ...tree, mayInstall }, command.opts(), command.args);
    if (answer !== undefined) tree.ctx.say(answer);
  });
}
