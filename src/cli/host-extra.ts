// Declares the verbs about a host's configuration and about single deployments.
import type { Context } from "../system/context.ts";
import { type Command, Option } from "./commander.ts";
import { collectValues, declared, jsonOption, lockTimeoutOption } from "./options.ts";

export function declareHostExtras(program: Command, ctx: Context): void {
  declareConfigDiff(program, ctx);
  declareDeleteDeployment(program, ctx);
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
      const { configDiff } = await import("../commands/config-diff.ts");
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
      const { deleteDeployment } = await import("../commands/delete-deployment.ts");
      await deleteDeployment(ctx, name, declared(options));
    });
}
