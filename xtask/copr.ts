// `xtask copr`: the verbs with their options and help. xtask/copr/ contains what they do.
import type { Command } from "../src/cli/commander.ts";
import { declared } from "../src/cli/options.ts";
import { defineTask, type TaskGroup } from "./task.ts";

const JSON_OPTION = ["--json", "print the answer as JSON"] as const;
const CONFIG_OPTION = ["--config <file>", "token file to use instead of ~/.config/copr"] as const;
const LIMIT_OPTION = [
  "--time-limit <duration>",
  "stop watching after this time (90m, 2h) with exit status 10; the build continues",
] as const;
const INTERVAL_OPTION = [
  "--interval <seconds>",
  "time between two requests, at least 5 s",
] as const;

const examples = (...lines: readonly string[]) =>
  `\nExamples:\n${lines.map((it) => `  npm run xtask -- copr ${it}`).join("\n")}`;

function withServer(command: Command) {
  return command.option(...JSON_OPTION).option(...CONFIG_OPTION);
}

const apply = {
  about: "make or change project and package on the server to match copr/project.json",
  ...defineTask({
    declare: (command) =>
      withServer(command)
        .option("--dry-run", "print the difference, and change nothing")
        .addHelpText("after", examples("apply --dry-run", "apply")),
    run: async (tree, options) =>
      (await import("./copr/verbs.ts")).applyVerb(tree, declared(options)),
  }),
};

const build = {
  about: "start a build: of the package's branch, of a commit, or of a source RPM",
  ...defineTask({
    declare: (command) =>
      withServer(command)
        .option("--commit <committish>", "build this commit, tag or branch of the repository")
        .option("--srpm [path]", "upload this source RPM; without a path, make one first")
        .option("--chroot <names...>", "build only in these chroots")
        .option("--reuse", "with --commit: use an existing build of that commit for these chroots")
        .option("--background", "give way to builds that people wait for")
        .option("--wait", "watch the build; exit status 1 when it fails")
        .option(...LIMIT_OPTION)
        .option(...INTERVAL_OPTION)
        .addHelpText(
          "after",
          examples("build --wait", "build --srpm --chroot fedora-rawhide-x86_64 --wait"),
        ),
    run: async (tree, options) =>
      (await import("./copr/verbs.ts")).buildVerb(tree, declared(options)),
  }),
};

const status = {
  about: "show a build, or the newest builds",
  ...defineTask({
    declare: (command) =>
      withServer(command)
        .argument("[build]", "number of the build")
        .option("--limit <count>", "show this many of the newest builds", "5")
        .addHelpText("after", examples("status", "status 1234567 --json")),
    run: async (tree, options, words) =>
      (await import("./copr/verbs.ts")).statusVerb(tree, declared(options), words),
  }),
};

const watch = {
  about: "watch a build to its end; Ctrl-C leaves it running",
  ...defineTask({
    declare: (command) =>
      withServer(command)
        .argument("[build]", "number of the build; the newest by default")
        .option(...LIMIT_OPTION)
        .option(...INTERVAL_OPTION)
        .addHelpText("after", examples("watch", "watch 1234567 --time-limit 2h")),
    run: async (tree, options, words) =>
      (await import("./copr/verbs.ts")).watchVerb(tree, declared(options), words),
  }),
};

const logs = {
  about: "print the logs of a build",
  ...defineTask({
    declare: (command) =>
      withServer(command)
        .argument("[build]", "number of the build; the newest by default")
        .option("--chroot <name>", "only the log of this chroot; `source` means the source RPM")
        .option("--log <name>", "builder-live or backend", "builder-live")
        .option("--tail <lines>", "only this many lines from the end of each")
        .addHelpText("after", examples("logs", "logs 1234567 --chroot source --tail 50")),
    run: async (tree, options, words) =>
      (await import("./copr/verbs.ts")).logsVerb(tree, declared(options), words),
  }),
};

const cancel = {
  about: "cancel a build",
  ...defineTask({
    declare: (command) =>
      withServer(command)
        .argument("<build>", "number of the build")
        .addHelpText("after", examples("cancel 1234567")),
    run: async (tree, options, words) =>
      (await import("./copr/verbs.ts")).cancelVerb(tree, declared(options), words),
  }),
};

const monitor = {
  about: "show the newest build of every package in every chroot",
  ...defineTask({
    declare: (command) =>
      withServer(command).addHelpText("after", examples("monitor", "monitor --json")),
    run: async (tree, options) =>
      (await import("./copr/verbs.ts")).monitorVerb(tree, declared(options)),
  }),
};

const webhook = {
  about: "show, renew, install or test the webhook that builds every push to the branch",
  ...defineTask({
    declare: (command) =>
      withServer(command)
        .option("--rotate", "make a new secret, after which the old address stops working")
        .option(
          "--install",
          "make a new secret, and set the webhook on GitHub (needs GITHUB_TOKEN)",
        )
        .option("--test", "report a push to the saved address and wait for a build to appear")
        .option("--time-limit <duration>", "how long --test waits", "2m")
        .option(...INTERVAL_OPTION)
        .addHelpText("after", examples("webhook", "webhook --install", "webhook --test")),
    run: async (tree, options) =>
      (await import("./copr/webhook-verb.ts")).webhookVerb(tree, declared(options)),
  }),
};

const emulate = {
  about: "build on this machine as COPR does: make_srpm in a fresh clone, then offline",
  ...defineTask({
    declare: (command) =>
      command
        .option("--subdirectory <path>", "the package's subdirectory, in which make runs", "")
        .option("--spec <name>", "the package's spec file, as COPR passes it", "")
        .option("--srpm-only", "stop after the source RPM")
        .option("--fresh", "download and compress everything again, as a builder does")
        .addHelpText("after", examples("emulate", "emulate --subdirectory rpm --srpm-only")),
    run: async (tree, options) =>
      (await import("./copr/emulate.ts")).emulateCopr(tree, declared(options)),
  }),
};

export const task: TaskGroup = {
  verbs: { apply, build, status, watch, logs, cancel, monitor, webhook, emulate },
};
