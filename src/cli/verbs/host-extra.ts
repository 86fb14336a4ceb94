// Declares the verbs about a host's configuration and about single deployments.
import type { Context } from "../../system/context.ts";
import { type Command, Option } from "../commander.ts";
import { collectValues, declared, jsonOption, lockTimeoutOption } from "../options.ts";

export function declareHostExtras(program: Command, ctx: Context): void {
  declareConfigDiff(program, ctx);
  declareDeleteDeployment(program, ctx);
  declareExecOnHost(program, ctx);
  declareState(program, ctx);
}

function declareConfigDiff(program: Command, ctx: Context): void {
  program
    .command("config-diff")
    .description("show how /etc differs from the image, or bring back what the image has")
    .addOption(
      new Option(
        "--restore <path>",
        "bring back this file or directory; may be repeated",
      ).argParser(collectValues),
    )
    .addOption(
      new Option("--json", "print one document, or one error object").conflicts(["restore"]),
    )
    .addHelpText(
      "after",
      "\nExamples:\n  bootc config-diff\n  bootc config-diff --restore /etc/ssh/sshd_config",
    )
    .action(async (options) => {
      const { configDiff } = await import("../../commands/config-diff.ts");
      await configDiff(ctx, declared(options));
    });
}

function declareDeleteDeployment(program: Command, ctx: Context): void {
  program
    .command("delete-deployment")
    .description("delete a deployment that is not booted, and what nothing else needs of it")
    .argument("<name>", "`staged`, `rollback`, or the beginning of a commit or an image's digest")
    .addOption(lockTimeoutOption())
    .addOption(jsonOption())
    .addHelpText(
      "after",
      "\nExamples:\n  bootc delete-deployment rollback\n  bootc delete-deployment 3b7cd3f6",
    )
    .action(async (name, options) => {
      const { deleteDeployment } = await import("../../commands/delete-deployment.ts");
      await deleteDeployment(ctx, name, declared(options));
    });
}

function declareExecOnHost(program: Command, ctx: Context): void {
  program
    .command("exec-in-host-mount-namespace", { hidden: true })
    .description("run a command in the mount namespace of process 1, and end as it ends")
    .argument("<command>", "the command")
    .argument("[args...]", "its arguments, options included")
    .addHelpText("after", "\nExamples:\n  bootc exec-in-host-mount-namespace findmnt /boot")
    .action(async (command, args) => {
      const verb = await import("../../commands/exec-in-host-mount-namespace.ts");
      await verb.execInHostMountNamespace(ctx, [command, ...args]);
    });
}

function declareState(program: Command, ctx: Context): void {
  program
    .command("state", { hidden: true })
    .description("change what is stored on this system")
    .command("wipe-ostree")
    .description("delete all ostree deployments of a system that runs from none of them")
    .addHelpText("after", "\nExamples:\n  bootc state wipe-ostree")
    .action(async () => {
      const { wipeOstree } = await import("../../commands/state.ts");
      await wipeOstree(ctx);
    });
}
