// `xtask crash-states`: judges the states in which a power cut can leave a disk during an update.
import { rm } from "node:fs/promises";
import { Option } from "@commander-js/extra-typings";
import { BootcError } from "../src/errors.ts";
import { buildHere } from "./build.ts";
import { ensurePrograms } from "./checks/requirements.ts";
import { reportPath } from "./suites/counts.ts";
import { defineTask } from "./task.ts";

/** Options passed on unchanged: to both scripts, and only to the one that boots nothing. */
const TO_BOTH = ["count", "only", "jobs", "journal"] as const;
const TO_LOOKING = ["from", "rounds", "timeline"] as const;

export const task = defineTask({
  declare: (command) =>
    command
      .option(
        "--recording <name...>",
        "which recordings; all that this machine can make by default",
      )
      .option("--count <number>", "only this many states of each, spread over the recording")
      .option("--from <number>", "the first state", "0")
      .option(
        "--only <number>",
        "only this state, with everything that is found; without --boot, its disk is kept",
      )
      .option("--jobs <number>", "how many at a time", "2")
      .option("--rounds <number>", "how often random states of each interval are chosen", "1")
      .addOption(
        new Option(
          "--boot",
          "boot states of systems made for that, in user-mode Linux; by default, 100 of each recording",
        ).conflicts(["from", "rounds", "timeline"]),
      )
      .option("--anew", "make the recordings again, although they exist")
      .option("--obeyed-flushes <number>", "as on a drive that obeys one of so many flushes", "1")
      .option("--timeline <file>", "draw the recording in this SVG")
      .option("--executable <file>", "the program; by default, this checkout's is built and used")
      .option(
        "--journal <path>",
        "continues after the results of the same recording, program and judge in this file" +
          " (default: target/crash/journal.jsonl, and boots.jsonl with --boot)",
      )
      .addHelpText(
        "after",
        [
          "",
          "Recordings are kept in target/crash/recordings; a recording and a number name one state.",
          "",
          "Examples:",
          "  npm run xtask -- crash-states --recording ext4 --count 300",
          "  npm run xtask -- crash-states --recording ext4 --only 1234",
          "  npm run xtask -- crash-states --recording ext4 --boot --count 30",
        ].join("\n"),
      ),
  async run(tree, options) {
    if (process.getuid?.() !== 0) {
      throw new BootcError("mounting disks needs root", {
        kind: "unsupported",
        hint: "run this as root",
      });
    }
    const isBooted = options.boot === true;
    if (isBooted && process.arch !== "x64") {
      throw new BootcError("user-mode Linux exists only for x86-64", {
        kind: "unsupported",
        hint: "leave out `--boot`, or run this on another machine",
      });
    }
    await ensurePrograms(tree, [
      ...["ostree", "skopeo", "debootstrap", "unshare", "chattr"],
      ...["qemu-storage-daemon", "grub-fstest", "losetup", "mkfs.ext4", "mkfs.xfs", "mkfs.btrfs"],
      ...(isBooted ? ["linux.uml"] : []),
    ]);
    const executable = options.executable ?? (await buildHere(tree));
    const path = reportPath(tree, isBooted ? "crash-boots" : "crash-states");
    const report = options.only === undefined ? [path] : [];
    // Otherwise, a run that dies would be judged by the results of an earlier one.
    for (const it of report) await rm(it, { force: true });
    const args = [
      ...["--executable", executable],
      ...report.flatMap((it) => ["--report", it]),
      ...(options.recording ?? []).flatMap((it) => ["--recording", it]),
      ...(options.anew === true ? ["--anew"] : []),
      ...["--obeyed-flushes", options.obeyedFlushes],
      ...(isBooted ? TO_BOTH : [...TO_BOTH, ...TO_LOOKING]).flatMap((name) => {
        const value = options[name];
        return value === undefined ? [] : [`--${name}`, value];
      }),
    ];
    // Mounts end with the namespace, even after a kill. Tests are not part of the product, so this task
    // starts them and imports nothing from them.
    const program = ["--mount", "--propagation", "private", process.execPath];
    const script = isBooted ? "tests/crash/boot/boot-states.ts" : "tests/crash/crash-states.ts";
    await tree.ctx.run("unshare", [...program, script, ...args], { cwd: tree.top });
    return undefined;
  },
});
