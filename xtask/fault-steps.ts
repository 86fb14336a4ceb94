// `xtask fault-steps`: lets system calls of commands fail, or kills the command, and judges what is left.
import { rm } from "node:fs/promises";
import { BootcError } from "../src/errors.ts";
import { buildHere } from "./build.ts";
import { ensurePrograms } from "./checks/requirements.ts";
import { reportPath } from "./suites/counts.ts";
import { defineTask } from "./task.ts";

const PASSED_ON = ["from", "count", "only", "jobs", "journal"] as const;
const LISTS = ["scenario", "kind"] as const;

export const task = defineTask({
  declare: (command) =>
    command
      .option("--scenario <name...>", "which verbs; all by default")
      .option(
        "--kind <name...>",
        "kill, kills, stops, ENOSPC, EIO, EROFS, EDQUOT, full, read-only; " +
          "`errors` takes the four errors in turn",
      )
      .option("--count <number>", "only this many steps of each verb, spread over its calls")
      .option("--from <number>", "the first call", "1")
      .option("--only <step>", "only this step, such as upgrade/EIO/17, with everything about it")
      .option("--jobs <number>", "how many at a time", "1")
      .option("--executable <file>", "the program; by default, this checkout's is built and used")
      .option(
        "--journal <path>",
        "continues after the results of the same program in this file",
        "target/faults/journal.jsonl",
      )
      .addHelpText(
        "after",
        [
          "",
          "A step is one run of a verb in which one system call that changes a file system, or the first of",
          "several, fails or is the last; `kills` is a row of kills, each of the run after the one before,",
          "with as many rows as calls; `stops` disturbs nothing, and looks before each call.",
          "The verbs' names are those of tests/faults/scenarios.ts. By default, all calls are killed at, and",
          "fail with one of four errors.",
          "",
          "Examples:",
          "  npm run xtask -- fault-steps --scenario upgrade --count 100",
          "  npm run xtask -- fault-steps --kind kills --count 500",
          "  npm run xtask -- fault-steps --only upgrade/EIO/17",
        ].join("\n"),
      ),
  async run(tree, options) {
    if (process.arch !== "x64") {
      throw new BootcError("watching the system calls of other programs needs x86-64", {
        kind: "unsupported",
        hint: "run this on such a machine",
      });
    }
    if (process.getuid?.() !== 0) {
      throw new BootcError("watching the system calls of other programs needs root", {
        kind: "unsupported",
        hint: "run this as root",
      });
    }
    await ensurePrograms(tree, ["ostree", "skopeo", "debootstrap", "unshare", "chattr", "setpriv"]);
    const executable = options.executable ?? (await buildHere(tree));
    const report = options.only === undefined ? [reportPath(tree, "fault-steps")] : [];
    // Otherwise, a run that dies would be judged by the results of an earlier one.
    for (const it of report) await rm(it, { force: true });
    const args = [
      ...["--executable", executable],
      ...report.flatMap((it) => ["--report", it]),
      ...LISTS.flatMap((name) => (options[name] ?? []).flatMap((it) => [`--${name}`, it])),
      ...PASSED_ON.flatMap((name) => {
        const value = options[name];
        return value === undefined ? [] : [`--${name}`, value];
      }),
    ];
    // Tests are not part of the product, so this task starts them and imports nothing from them.
    await tree.ctx.run(process.execPath, ["tests/faults/fault-steps.ts", ...args], {
      cwd: tree.top,
    });
    return undefined;
  },
});
