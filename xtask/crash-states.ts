// `xtask crash-states`: judges the states in which a power cut can leave a disk during an update.
import { rm } from "node:fs/promises";
import { BootcError } from "../src/errors.ts";
import { buildHere } from "./build.ts";
import { ensurePrograms } from "./checks/requirements.ts";
import { reportPath } from "./suites/counts.ts";
import { defineTask } from "./task.ts";

const PASSED_ON = ["count", "from", "only", "jobs", "rounds", "timeline", "journal"] as const;

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
        "only this state, with everything found on its disk, which is kept",
      )
      .option("--jobs <number>", "how many at a time", "2")
      .option("--rounds <number>", "how often random states of each interval are chosen", "1")
      .option("--anew", "make the recordings again, although they exist")
      .option("--obeyed-flushes <number>", "as on a drive that obeys one of so many flushes", "1")
      .option("--timeline <file>", "draw the recording in this SVG")
      .option("--executable <file>", "the program; by default, this checkout's is built and used")
      .option(
        "--journal <path>",
        "continues after the results of the same recording, program and judge in this file",
        "target/crash/journal.jsonl",
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
        ].join("\n"),
      ),
  async run(tree, options) {
    if (process.getuid?.() !== 0) {
      throw new BootcError("mounting disks needs root", {
        kind: "unsupported",
        hint: "run this as root",
      });
    }
    await ensurePrograms(tree, [
      ...["ostree", "skopeo", "debootstrap", "unshare", "chattr"],
      ...["qemu-storage-daemon", "grub-fstest", "losetup", "mkfs.ext4", "mkfs.xfs", "mkfs.btrfs"],
    ]);
    const executable = options.executable ?? (await buildHere(tree));
    const report = options.only === undefined ? [reportPath(tree, "crash-states")] : [];
    // Otherwise, a run that dies would be judged by the results of an earlier one.
    for (const it of report) await rm(it, { force: true });
    const args = [
      ...["--executable", executable],
      ...report.flatMap((it) => ["--report", it]),
      ...(options.recording ?? []).flatMap((it) => ["--recording", it]),
      ...(options.anew === true ? ["--anew"] : []),
      ...["--obeyed-flushes", options.obeyedFlushes],
      ...PASSED_ON.flatMap((name) => {
        const value = options[name];
        return value === undefined ? [] : [`--${name}`, value];
      }),
    ];
    // Mounts end with the namespace, even after a kill. Tests are not part of the product, so this task
    // starts them and imports nothing from them.
    const program = ["--mount", "--propagation", "private", process.execPath];
    await tree.ctx.run("unshare", [...program, "tests/crash/crash-states.ts", ...args], {
      cwd: tree.top,
    });
    return undefined;
  },
});
