// Declares the verbs for automatic updates.
import type { Context } from "../../system/context.ts";
import { type Command, Option } from "../commander.ts";
import { declared, withAccessOptions } from "../options.ts";

export function declareUpdatesCommands(program: Command, ctx: Context): void {
  const updates = program
    .command("updates")
    .description("look at and steer the automatic updates of this host");
  declareShow(updates, ctx);
  declareMetrics(updates, ctx);
  declareWork(updates, ctx);
  declarePause(updates, ctx);
  declareHold(updates, ctx);
  declareAnnotate(updates, ctx);
}

function declareShow(updates: Command, ctx: Context): void {
  updates
    .command("status")
    .description("show what automatic updates would do now, and why not")
    .addOption(documentOption())
    .addHelpText(
      "after",
      "\nExamples:\n  bootc updates status\n  bootc updates status --json | jq .blocked",
    )
    .action(async (options) => {
      const { updatesStatus } = await import("../../commands/updates/status.ts");
      await updatesStatus(ctx, declared(options));
    });
  updates
    .command("history")
    .description("show what automatic updates have done")
    .addOption(documentOption())
    .addHelpText("after", "\nExamples:\n  bootc updates history")
    .action(async (options) => {
      const { updatesHistory } = await import("../../commands/updates/history.ts");
      await updatesHistory(ctx, declared(options));
    });
  updates
    .command("config")
    .description("show the settings of automatic updates, and where each of them comes from")
    .addOption(documentOption())
    .addHelpText("after", "\nExamples:\n  bootc updates config")
    .action(async (options) => {
      const { updatesConfig } = await import("../../commands/updates/config.ts");
      await updatesConfig(ctx, declared(options));
    });
}

function declareMetrics(updates: Command, ctx: Context): void {
  updates
    .command("metrics")
    .description("print figures about automatic updates for Prometheus")
    .option("--textfile <file>", "replace this file, which node_exporter reads, instead")
    .addHelpText(
      "after",
      "\nExamples:\n  bootc updates metrics\n" +
        "  bootc updates metrics --textfile /var/lib/node_exporter/bootc.prom",
    )
    .action(async (options) => {
      const { updatesMetrics } = await import("../../commands/updates/metrics.ts");
      await updatesMetrics(ctx, declared(options));
    });
}

function declareWork(updates: Command, ctx: Context): void {
  updates
    .command("check")
    .description("ask the registry for an update now, whatever the settings say")
    .addHelpText("after", "\nExamples:\n  bootc updates check")
    .action(async () => {
      const { updatesCheck } = await import("../../commands/updates/check.ts");
      await updatesCheck(ctx);
    });
  updates
    .command("run")
    .description("take the steps of an update that are due and allowed; the timer starts this")
    .addHelpText("after", "\nExamples:\n  bootc updates run")
    .action(async () => {
      const { updatesRun } = await import("../../commands/updates/run.ts");
      await updatesRun(ctx);
    });
}

function declarePause(updates: Command, ctx: Context): void {
  updates
    .command("pause")
    .description("download, apply and reboot nothing automatically for now")
    .option("--until <time>", "a duration (8h, 7d), a date, or a time with its offset")
    .addHelpText("after", "\nExamples:\n  bootc updates pause\n  bootc updates pause --until 7d")
    .action(async (options) => {
      const { updatesPause } = await import("../../commands/updates/pause.ts");
      await updatesPause(ctx, declared(options));
    });
  updates
    .command("resume")
    .description("end a pause")
    .addHelpText("after", "\nExamples:\n  bootc updates resume")
    .action(async () => {
      const { updatesResume } = await import("../../commands/updates/resume.ts");
      await updatesResume(ctx);
    });
}

function declareHold(updates: Command, ctx: Context): void {
  const about = "the digest of the image's manifest, sha256:…";
  updates
    .command("hold")
    .description("keep automatic updates from an image")
    .argument("<digest>", about)
    .addHelpText(
      "after",
      `\nExamples:\n  bootc updates hold sha256:${"0123456789abcdef".repeat(4)}`,
    )
    .action(async (digest) => {
      const { updatesHold } = await import("../../commands/updates/hold.ts");
      await updatesHold(ctx, digest);
    });
  updates
    .command("release")
    .description("let automatic updates have a held image again, or all")
    .argument("[digest]", about)
    .addHelpText("after", "\nExamples:\n  bootc updates release")
    .action(async (digest) => {
      const { updatesRelease } = await import("../../commands/updates/release.ts");
      await updatesRelease(ctx, digest);
    });
}

function declareAnnotate(updates: Command, ctx: Context): void {
  const command = updates
    .command("annotate")
    .description("write the rollout of an image into its manifest in a registry")
    .argument("<image>", "REGISTRY/REPOSITORY:TAG; the tag moves to the new manifest")
    .option("--start <time>", "no host updates earlier, such as 2026-12-01T06:00:00Z")
    .option("--duration <duration>", "how long it takes until all hosts may update, such as 48h")
    .addOption(
      new Option(
        "--steps <steps>",
        "percentages of hosts and when, such as 0m=1,24h=25,3d=100",
      ).conflicts("duration"),
    )
    .option("--paused", "no host updates")
    .option("--minimum-version <version>", "only hosts that run this version or a newer one update")
    .option("--clear", "remove the rollout: all hosts may update");
  withAccessOptions(command)
    .addHelpText(
      "after",
      "\nExamples:\n  bootc updates annotate quay.io/example/os:latest " +
        "--start 2026-12-01T06:00:00Z --duration 48h",
    )
    .action(async (image, options) => {
      const { updatesAnnotate } = await import("../../commands/updates/annotate.ts");
      await updatesAnnotate(ctx, image, declared(options));
    });
}

function documentOption() {
  return new Option("--json", "print one JSON document, or one error object");
}
