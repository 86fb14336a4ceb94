// Declares the verbs that show and change the booted host.
import type { Context } from "../../system/context.ts";
import { type Command, Option } from "../commander.ts";
import {
  declared,
  jsonOption,
  lockTimeoutOption,
  offering,
  progressFdOption,
  transportOption,
  unifiedStorageOption,
  withPullOptions,
} from "../options.ts";

export function declareHostCommands(program: Command, ctx: Context): void {
  declareUpgrade(program, ctx);
  declareSwitch(program, ctx);
  declareRollback(program, ctx);
  declareEdit(program, ctx);
  declareStatus(program, ctx);
  declareUsrOverlay(program, ctx);
}

function declareUpgrade(program: Command, ctx: Context): void {
  const command = program
    .command("upgrade")
    .alias("update")
    .description("stage the newest version of the image that this host follows")
    .option("--quiet", "show no progress")
    .addOption(
      new Option("--check", "only check whether there is an update").conflicts([
        "apply",
        "softReboot",
        "downloadOnly",
        "fromDownloaded",
      ]),
    )
    .addOption(
      new Option("--apply", "reboot into the staged deployment").conflicts([
        "check",
        "downloadOnly",
      ]),
    )
    .addOption(softRebootOption().conflicts(["check", "downloadOnly"]))
    .addOption(
      new Option(
        "--download-only",
        "stage the update, but do not apply it at the next reboot",
      ).conflicts(["check", "apply", "fromDownloaded"]),
    )
    .addOption(
      new Option("--from-downloaded", "apply what --download-only staged earlier").conflicts([
        "check",
        "downloadOnly",
      ]),
    )
    .option("--tag <tag>", "follow this tag of the same repository from now on")
    .option("--force-held", "also stage an image that is held, because it went back or by hand")
    .addOption(progressFdOption())
    .addOption(jsonOption());
  withPullOptions(command)
    .addHelpText(
      "after",
      "\nExamples:\n  bootc upgrade --check\n  bootc upgrade --apply\n  bootc upgrade --tag 42",
    )
    .action(async (options) => {
      const { upgrade } = await import("../../commands/upgrade.ts");
      await upgrade(ctx, declared(options));
    });
}

function declareSwitch(program: Command, ctx: Context): void {
  const command = program
    .command("switch")
    .description("follow another image from now on, and stage that image")
    .argument("<target>", "the image, without its transport")
    .addOption(
      transportOption("--transport <transport>", "where images come from").default("registry"),
    )
    .option("--quiet", "show no progress")
    .option("--apply", "reboot into the staged deployment")
    .addOption(softRebootOption())
    .option(
      "--enforce-container-sigpolicy",
      "require that containers-policy.json accepts the image",
    )
    .option("--retain", "keep the branch of a plain ostree installation")
    .addOption(unifiedStorageOption())
    .addOption(new Option("--no-signature-verification", "accepted, but has no effect").hideHelp())
    .addOption(
      new Option("--mutate-in-place", "only change which image the newest deployment follows")
        .hideHelp()
        // It stages nothing that could be booted or replace a branch.
        .conflicts(["apply", "softReboot", "retain", "experimentalUnifiedStorage"]),
    )
    .addOption(progressFdOption())
    .addOption(jsonOption());
  withPullOptions(command)
    .addHelpText(
      "after",
      "\nExamples:\n  bootc switch quay.io/example/os:latest\n  bootc switch --transport oci /srv/os",
    )
    .action(async (target, options) => {
      const { switchImage } = await import("../../commands/switch.ts");
      await switchImage(ctx, target, declared(options));
    });
}

function declareRollback(program: Command, ctx: Context): void {
  program
    .command("rollback")
    .description("boot the previous deployment next; a second call cancels that")
    .option("--apply", "reboot immediately")
    .addOption(softRebootOption())
    .addOption(lockTimeoutOption())
    .addOption(jsonOption())
    .addHelpText("after", "\nExamples:\n  bootc rollback\n  bootc rollback --apply")
    .action(async (options) => {
      const { rollback } = await import("../../commands/rollback.ts");
      await rollback(ctx, declared(options));
    });
}

function declareEdit(program: Command, ctx: Context): void {
  const command = program
    .command("edit")
    .description("change what this host should run by editing its document")
    .option(
      "-f, --filename <file>",
      "read the document from this file instead of starting an editor",
    )
    .option("--quiet", "show no progress")
    .addOption(jsonOption());
  withPullOptions(command)
    .addHelpText("after", "\nExamples:\n  bootc edit\n  bootc edit --filename host.yaml")
    .action(async (options) => {
      const { edit } = await import("../../commands/edit.ts");
      await edit(ctx, declared(options));
    });
}

function declareStatus(program: Command, ctx: Context): void {
  program
    .command("status")
    .description("show what this host runs, what it will run next, and what it can roll back to")
    .addOption(
      new Option("--format <format>", "output format").choices(["humanreadable", "yaml", "json"]),
    )
    .addOption(new Option("--json", "same as --format json").hideHelp())
    .addOption(
      offering("--format-version <number>", "version of the document; 0 and 1 are the same", [
        "0",
        "1",
      ]),
    )
    .option("--booted", "show only the booted deployment")
    .option("-v, --verbose", "show more of each deployment")
    .addHelpText(
      "after",
      "\nExamples:\n  bootc status\n  bootc status --format json | jq .status.booted",
    )
    .action(async (options) => {
      const { status } = await import("../../commands/status.ts");
      await status(ctx, declared(options));
    });
}

function declareUsrOverlay(program: Command, ctx: Context): void {
  program
    .command("usr-overlay")
    .alias("usroverlay")
    .description("mount an overlay over /usr that lasts until the next boot")
    .option(
      "--read-only",
      "keep /usr read-only, except where it is remounted in a private namespace",
    )
    .addHelpText("after", "\nExamples:\n  bootc usr-overlay")
    .action(async (options) => {
      const { usrOverlay } = await import("../../commands/usr-overlay.ts");
      await usrOverlay(ctx, declared(options));
    });
}

function softRebootOption() {
  const about = "prepare a soft reboot, which keeps the kernel";
  return new Option("--soft-reboot <mode>", about).choices(["required", "auto"]);
}
