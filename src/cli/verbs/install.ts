// Declares the installation verbs and their options.
import { BootcError } from "../../errors.ts";
import { BLOCK_SETUPS, BOOTLOADERS, FILESYSTEMS } from "../../install/plan/choices.ts";
import type { Context } from "../../system/context.ts";
import { type Command, type CommandOf, Option, type OptionValues } from "../commander.ts";
import {
  collectValues,
  declared,
  progressFdOption,
  transportOption,
  unifiedStorageOption,
  withPullOptions,
} from "../options.ts";

export function declareInstallCommands(program: Command, ctx: Context): void {
  const install = program
    .command("install")
    .description("install this container's image, or another one");
  declareToDisk(install, ctx);
  declareToFilesystem(install, ctx);
  declareToExistingRoot(install, ctx);
  declareForInstallers(install, ctx);
  declareReset(install, ctx);
}

/** Hidden, as in bootc 1.x: it may still change. */
function declareReset(install: Command, ctx: Context): void {
  const command = install
    .command("reset", { hidden: true })
    .description("stage the image anew, with its own /etc and an empty /var; keep the old state")
    .option("--experimental", "required, because the command may still change")
    .addOption(new Option("--source-imgref <image>").hideHelp())
    .addOption(
      transportOption(
        "--target-transport <transport>",
        "transport of the image to follow (default: registry)",
      ),
    )
    .option("--target-imgref <name>", "the image to deploy and follow (default: the booted one)")
    .addOption(new Option("--target-no-signature-verification").hideHelp())
    .option(
      "--enforce-container-sigpolicy",
      "require that updates satisfy the machine's policy.json",
    )
    .addOption(new Option("--run-fetch-check").hideHelp())
    .addOption(new Option("--skip-fetch-check").hideHelp())
    .addOption(unifiedStorageOption())
    .option("--stateroot <name>", "name of the new stateroot (default: state-YEAR-NUMBER)")
    .option("--no-root-kargs", "do not keep the arguments that find the root")
    .option("--karg <arguments>", "a kernel argument, or several; may be repeated", collectValues)
    .option("--apply", "reboot when the new deployment is staged")
    .option("--quiet", "show no progress")
    .addOption(progressFdOption())
    .addHelpText("after", "\nExamples:\n  bootc install reset --experimental --apply");
  withPullOptions(command).action(async (options) => {
    const { resetInstall } = await import("../../commands/install/reset.ts");
    await resetInstall(ctx, declared(options));
  });
}

function declareToDisk(install: Command, ctx: Context): void {
  const command = install
    .command("to-disk")
    .description("partition a disk and install to it; erases nothing without --wipe")
    .argument("<device>", "the disk, or with --via-loopback a file")
    .option("--wipe", "erase the disk's content")
    .addOption(
      new Option("--block-setup <setup>", "whether to encrypt the root").choices(BLOCK_SETUPS),
    )
    .addOption(new Option("--filesystem <type>", "file system of the root").choices(FILESYSTEMS))
    .option(
      "--root-size <size>",
      "size of the root partition, such as 20G; a plain number means MiB",
    )
    .option("--via-loopback", "the device is a disk image in a file")
    .addHelpText(
      "after",
      "\nExamples:\n" +
        "  bootc install to-disk --filesystem xfs --wipe /dev/vda\n" +
        "  truncate -s 10G disk.raw && bootc install to-disk --via-loopback --filesystem ext4 \\\n" +
        "    --source-imgref docker://quay.io/example/os:latest disk.raw",
    );
  withInstallOptions(command).action(async (device, options) => {
    const { installToDisk } = await import("../../commands/install/to-disk.ts");
    await installToDisk(ctx, device, declared(options));
  });
}

function declareToFilesystem(install: Command, ctx: Context): void {
  const command = install
    .command("to-filesystem")
    .description("install to a mounted root file system")
    .argument("<root-path>", "where the root is mounted, with /boot and the rest below it")
    .option(
      "--root-mount-spec <spec>",
      "how to find the root, such as LABEL=root; empty for no root=",
    )
    .option(
      "--boot-mount-spec <spec>",
      "the mount of /boot: UUID=… [/boot [TYPE [OPTIONS]]]; empty for none",
    )
    .addOption(replaceOption())
    .option("--acknowledge-destructive", "do not wait before the running system is overwritten")
    .option("--skip-finalize", "do not trim, flush and remount read-only at the end")
    .addHelpText(
      "after",
      "\nExamples:\n  bootc install to-filesystem --root-mount-spec LABEL=root /mnt",
    );
  withInstallOptions(command).action(async (path, options) => {
    const { installToFilesystem } = await import("../../commands/install/to-filesystem.ts");
    await installToFilesystem(ctx, path, declared(options));
  });
}

function declareToExistingRoot(install: Command, ctx: Context): void {
  const command = install
    .command("to-existing-root")
    .description("install over the running system; the next boot starts the image")
    .argument("[root-path]", "where the root of the host is mounted", "/target")
    .addOption(replaceOption().default("alongside"))
    .option("--acknowledge-destructive", "do not wait before the running system is overwritten")
    .option("--cleanup", "remove the rest of the old system at the first boot")
    .addHelpText(
      "after",
      "\nExamples:\n  podman run --rm --privileged --pid=host -v /:/target -v /dev:/dev \\\n" +
        "    -v /var/lib/containers:/var/lib/containers IMAGE bootc install to-existing-root",
    );
  withInstallOptions(command).action(async (path, options) => {
    const { installToExistingRoot } = await import("../../commands/install/to-existing-root.ts");
    await installToExistingRoot(ctx, path, declared(options));
  });
}

function declareForInstallers(install: Command, ctx: Context): void {
  install
    .command("finalize")
    .description("check an installed root before an installer unmounts it")
    .argument("<root-path>", "where the physical root is mounted")
    .addHelpText("after", "\nExamples:\n  bootc install finalize /mnt/sysroot")
    .action(async (path) => {
      const { finalizeInstall } = await import("../../commands/install/finalize.ts");
      await finalizeInstall(ctx, path);
    });
  install
    .command("ensure-completion")
    .description("for Anaconda: complete an image that Anaconda itself deployed")
    .addHelpText("after", "\nExamples:\n  %post\n  bootc install ensure-completion\n  %end")
    .action(async () => {
      const command = await import("../../commands/install/ensure-completion.ts");
      await command.ensureInstallCompletion(ctx);
    });
  install
    .command("print-configuration")
    .description("print the merged install configuration as JSON")
    .option("--all", "include the kernel arguments")
    .addHelpText("after", "\nExamples:\n  bootc install print-configuration | jq .filesystem")
    .action(async (options) => {
      const command = await import("../../commands/install/print-configuration.ts");
      await command.printInstallConfiguration(ctx, declared(options));
    });
}

function replaceOption() {
  return new Option(
    "--replace <mode>",
    "delete existing content, or keep it except for boot files",
  ).choices(["wipe", "alongside"]);
}

/** Options of bootc 1.x for its second backend. */
const COMPOSEFS_OPTIONS = ["--composefs-backend", "--allow-missing-verity", "--uki-addon <name>"];

function refuseComposefs(): never {
  throw new BootcError("this version installs with ostree, and has no composefs backend", {
    kind: "unsupported",
    hint: "leave out --composefs-backend and the options for it",
  });
}

/** Adds the options that all kinds of installation share. */
function withInstallOptions<
  Args extends unknown[],
  Opts extends OptionValues,
  GlobalOpts extends OptionValues,
>(command: CommandOf<Args, Opts, GlobalOpts>) {
  for (const flags of COMPOSEFS_OPTIONS) {
    const option = new Option(flags).hideHelp();
    command.addOption(option).on(`option:${option.name()}`, refuseComposefs);
  }
  return command
    .option(
      "--source-imgref <image>",
      "the image to install: docker://NAME, oci:DIR, … (default: this container's)",
    )
    .addOption(
      transportOption(
        "--target-transport <transport>",
        "transport of the image to follow (default: registry)",
      ),
    )
    .option("--target-imgref <name>", "the image that the machine follows (default: the source)")
    .addOption(new Option("--target-no-signature-verification").hideHelp())
    .option(
      "--enforce-container-sigpolicy",
      "require that updates satisfy the machine's policy.json",
    )
    .option(
      "--run-fetch-check",
      "check that the image to follow can be fetched, before a disk is changed",
    )
    .addOption(new Option("--skip-fetch-check").hideHelp())
    .addOption(unifiedStorageOption())
    .option("--disable-selinux", "boot with selinux=0")
    .option("--karg <arguments>", "a kernel argument, or several; may be repeated", collectValues)
    .option(
      "--karg-delete <argument>",
      "remove the arguments KEY or KEY=VALUE; may be repeated",
      collectValues,
    )
    .option("--root-ssh-authorized-keys <file>", "authorized_keys file for logging in as root")
    .option(
      "--generic-image",
      "do not change firmware variables, because another machine will boot the disk",
    )
    .addOption(
      new Option("--bound-images <mode>", "where to get the images that are bound to the image")
        .choices(["stored", "pull", "skip"])
        .default("stored"),
    )
    .option("--stateroot <name>", "name of the ostree stateroot (default: default)")
    .option("--bootupd-skip-boot-uuid", "let the boot loader find /boot without its UUID")
    .addOption(
      new Option("--bootloader <name>", "boot loader to install (default: the image's)").choices(
        BOOTLOADERS,
      ),
    );
}
