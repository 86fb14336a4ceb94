// Commands for scripts, units and other programs; hidden from the overview.
import type { Context } from "../system/context.ts";
import { type Command, Option } from "./commander.ts";
import { declared, lockTimeoutOption } from "./options.ts";
import { declareOstreeContainer } from "./ostree-container.ts";

export function declareInternalCommands(program: Command, ctx: Context): void {
  const internals = program
    .command("internals", { hidden: true })
    .description("commands for units, installers and other programs; not for people");
  declareBootInternals(internals, ctx);
  declareMaintenance(internals, ctx);
  declareOstreeContainer(internals, ctx, "ostree-container");
  const ext = internals
    .command("ostree-ext")
    .description("what other programs call ostree's extension");
  declareOstreeContainer(ext, ctx, "container");
  declareHostInternals(internals, ctx);
}

function declareMaintenance(internals: Command, ctx: Context): void {
  internals
    .command("cleanup")
    .description("remove images, layers and downloads that nothing on this host needs")
    .addOption(lockTimeoutOption())
    .addHelpText("after", "\nExamples:\n  bootc internals cleanup")
    .action(async (options) => {
      const { cleanup } = await import("../commands/internals/cleanup.ts");
      await cleanup(ctx, declared(options));
    });
  internals
    .command("fsck")
    .description("look for damage that earlier versions are known to have left")
    .addHelpText("after", "\nExamples:\n  bootc internals fsck")
    .action(async () => {
      const { fsck } = await import("../commands/internals/fsck.ts");
      await fsck(ctx);
    });
}

/** What our systemd units and generator call at boot and shutdown. */
function declareBootInternals(internals: Command, ctx: Context): void {
  internals
    .command("systemd-generator")
    .description("add our units to this boot where the machine needs them")
    .argument("<normal>", "directory for generated units")
    .argument("[early]", "directory of higher priority; unused")
    .argument("[late]", "directory of lower priority; unused")
    .action(async (dir) => {
      const { systemdGenerator } = await import("../commands/internals/systemd-generator.ts");
      await systemdGenerator(ctx, dir);
    });
  internals
    .command("fixup-etc-fstab")
    .description("mount `/` read-only in /etc/fstab where an installer wrote it otherwise")
    .action(async () => {
      const { fixupEtcFstab } = await import("../commands/internals/fixup-etc-fstab.ts");
      await fixupEtcFstab(ctx);
    });
  internals
    .command("sysusers-sync")
    .description("remove shadow entries of users that exist nowhere any more")
    .action(async () => {
      const { sysusersSync } = await import("../commands/internals/sysusers-sync.ts");
      await sysusersSync(ctx);
    });
  internals
    .command("label-etc")
    .description("label /etc of the system that boots next, at shutdown where SELinux is off")
    .action(async () => {
      const { labelEtcAtShutdown } = await import("../commands/internals/label-etc.ts");
      await labelEtcAtShutdown(ctx);
    });
  internals
    .command("bootc-install-completion")
    .description("add kernel arguments of configuration and image to a new deployment")
    .argument("<sysroot>", "where the physical root is mounted")
    .argument("<stateroot>", "the stateroot of the deployment")
    .action(async (sysroot, stateroot) => {
      const command = await import("../commands/internals/bootc-install-completion.ts");
      await command.bootcInstallCompletion(ctx, sysroot, stateroot);
    });
}

/** About the booted host: schemas, reboot. */
function declareHostInternals(internals: Command, ctx: Context): void {
  internals
    .command("print-json-schema")
    .description("print the JSON schema of the host document or of the progress stream")
    .addOption(
      new Option("--of <document>", "which schema")
        .choices(["host", "progress"])
        .makeOptionMandatory(),
    )
    .addHelpText("after", "\nExamples:\n  bootc internals print-json-schema --of host")
    .action(async (options) => {
      const { printJsonSchema } = await import("../commands/internals/print-json-schema.ts");
      await printJsonSchema(ctx, declared(options));
    });
  internals
    .command("reboot")
    .description("reboot this machine")
    .addHelpText("after", "\nExamples:\n  bootc internals reboot")
    .action(async () => {
      const { internalsReboot } = await import("../commands/internals/reboot.ts");
      await internalsReboot(ctx);
    });
}
