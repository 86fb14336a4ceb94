// Declares the commands for scripts, units and other programs. They are hidden from the overview.
import type { Context } from "../../system/context.ts";
import { type Command, Option } from "../commander.ts";
import { declared, lockTimeoutOption } from "../options.ts";
import { declareInternalExtras } from "./internals-extra.ts";
import { declareHealthInternals } from "./internals-health.ts";
import { declareOstreeContainer } from "./ostree-container.ts";
import { declareExtension } from "./ostree-ext.ts";

export function declareInternalCommands(program: Command, ctx: Context): void {
  const internals = program
    .command("internals", { hidden: true })
    .description("commands for units, installers and other programs, not for people");
  declareBootInternals(internals, ctx);
  declareMaintenance(internals, ctx);
  declareOstreeContainer(internals, ctx, "ostree-container");
  const ext = internals
    .command("ostree-ext")
    .description("the extension of ostree, under the name that other programs use");
  declareOstreeContainer(ext, ctx, "container");
  declareExtension(ext, ctx);
  declareHostInternals(internals, ctx);
  declareInternalExtras(internals, ctx);
  declareHealthInternals(internals, ctx);
}

function declareMaintenance(internals: Command, ctx: Context): void {
  internals
    .command("cleanup")
    .description("remove images, layers and downloads that nothing on this host needs")
    .addOption(lockTimeoutOption())
    .addHelpText("after", "\nExamples:\n  bootc internals cleanup")
    .action(async (options) => {
      const { cleanup } = await import("../../commands/internals/cleanup.ts");
      await cleanup(ctx, declared(options));
    });
  internals
    .command("fsck")
    .description("look for damage that earlier versions are known to have caused")
    .addHelpText("after", "\nExamples:\n  bootc internals fsck")
    .action(async () => {
      const { fsck } = await import("../../commands/internals/fsck.ts");
      await fsck(ctx);
    });
}

/** Commands that our systemd units and installers call. */
function declareBootInternals(internals: Command, ctx: Context): void {
  internals
    .command("systemd-generator")
    .description("enable the units that this machine needs at this boot")
    .argument("<normal>", "directory for generated units")
    .argument("[early]", "directory of higher priority; unused")
    .argument("[late]", "directory of lower priority; unused")
    .action(async (dir) => {
      const { systemdGenerator } = await import("../../commands/internals/systemd-generator.ts");
      await systemdGenerator(ctx, dir);
    });
  internals
    .command("fixup-etc-fstab")
    .description("make `/` read-only in /etc/fstab if an installer did not")
    .action(async () => {
      const { fixupEtcFstab } = await import("../../commands/internals/fixup-etc-fstab.ts");
      await fixupEtcFstab(ctx);
    });
  internals
    .command("sysusers-sync")
    .description("remove shadow entries of users that no longer exist")
    .action(async () => {
      const { sysusersSync } = await import("../../commands/internals/sysusers-sync.ts");
      await sysusersSync(ctx);
    });
  internals
    .command("label-etc")
    .description("label /etc of the system that boots next, at shutdown where SELinux is off")
    .option("--before-merge", "label what ostree copies from the running system's /etc")
    .action(async (options) => {
      const { labelEtcAtShutdown } = await import("../../commands/internals/label-etc.ts");
      await labelEtcAtShutdown(ctx, declared(options));
    });
  internals
    .command("bootc-install-completion")
    .description("complete a new deployment: kernel arguments and bound images")
    .argument("<sysroot>", "where the physical root is mounted")
    .argument("<stateroot>", "the stateroot of the deployment")
    .action(async (sysroot, stateroot) => {
      const command = await import("../../commands/internals/bootc-install-completion.ts");
      await command.bootcInstallCompletion(ctx, sysroot, stateroot);
    });
}

/** Schemas, reboot. */
function declareHostInternals(internals: Command, ctx: Context): void {
  internals
    .command("print-json-schema")
    .description("print the JSON schema of the host document or the progress stream")
    .addOption(
      new Option("--of <document>", "which schema")
        .choices(["host", "progress"])
        .makeOptionMandatory(),
    )
    .addHelpText("after", "\nExamples:\n  bootc internals print-json-schema --of host")
    .action(async (options) => {
      const { printJsonSchema } = await import("../../commands/internals/print-json-schema.ts");
      await printJsonSchema(ctx, declared(options));
    });
  internals
    .command("reboot")
    .description("reboot this machine")
    .addHelpText("after", "\nExamples:\n  bootc internals reboot")
    .action(async () => {
      const { internalsReboot } = await import("../../commands/internals/reboot.ts");
      await internalsReboot(ctx);
    });
}
