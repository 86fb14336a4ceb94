// The installation verbs and their options.
import { BLOCK_SETUPS, BOOTLOADERS, FILESYSTEMS } from "../install/plan/choices.ts";
import type { Context } from "../system/context.ts";
import { type Command, type CommandOf, Option, type OptionValues } from "./commander.ts";
import { collectValues, declared, transportOption } from "./options.ts";

export function declareInstallCommands(program: Command, ctx: Context): void {
  const install = program.command("install").description("install this, or another, image");
  declareToDisk(install, ctx);
  declareToFilesystem(install, ctx);
  declareToExistingRoot(install, ctx);
  declareForInstallers(install, ctx);
}

function declareToDisk(install: Command, ctx: Context): void {
  const command = install
    .command("to-disk")
    .description("partition a disk and install to it; erases nothing without --wipe")
    .argument("<device>", "the disk, or a file with --via-loopback")
    .option("--wipe", "erase what is on the disk")
    .addOption(new Option("--block-setup <setup>", "what the root is on").choices(BLOCK_SETUPS))
    .addOption(new Option("--filesystem <type>", "of the root").choices(FILESYSTEMS))
    .option("--root-size <size>", "of the root partition: 20G; a number alone is MiB")
    .option("--via-loopback", "the device is a file with a disk image")
    .addHelpText(
      "after",
      "\nExamples:\n" +
        "  bootc install to-disk --filesystem xfs --wipe /dev/vda\n" +
        "  truncate -s 10G disk.raw && bootc install to-disk --via-loopback --filesystem ext4 \\\n" +
        "    --source-imgref docker://quay.io/example/os:latest disk.raw",
    );
  withInstallOptions(command).action(async (device, options) => {
    const { installToDisk } = await import("../commands/install/to-disk.ts");
    await installToDisk(ctx, device, declared(options));
  });
}

function declareToFilesystem(install: Command, ctx: Context): void {
  const command = install
    .command("to-filesystem")
    .description("install to a root file system that is mounted")
    .argument("<root-path>", "where the root is mounted, with /boot and the rest below it")
    .option("--root-mount-spec <spec>", "what the root is found by: LABEL=root; empty for none")
    .option("--boot-mount-spec <spec>", "the mount of /boot: UUID=… [/boot [TYPE [OPTIONS]]]")
    .addOption(replaceOption())
    .option("--acknowledge-destructive", "do not wait before the running system is overwritten")
    .option("--skip-finalize", "do not trim, flush and make read-only at the end")
    .addHelpText(
      "after",
      "\nExamples:\n  bootc install to-filesystem --root-mount-spec LABEL=root /mnt",
    );
  withInstallOptions(command).action(async (path, options) => {
    const { installToFilesystem } = await import("../commands/install/to-filesystem.ts");
    await installToFilesystem(ctx, path, declared(options));
  });
}

function declareToExistingRoot(install: Command, ctx: Context): void {
  const command = install
    .command("to-existing-root")
    .description("install over the running system, which boots into the image next")
    .argument("[root-path]", "where the root of the host is mounted", "/target")
    .addOption(replaceOption().default("alongside"))
    .option("--acknowledge-destructive", "do not wait before the running system is overwritten")
    .option("--cleanup", "remove what is left of the old system at the first boot")
    .addHelpText(
      "after",
      "\nExamples:\n  podman run --rm --privileged --pid=host -v /:/target -v /dev:/dev \\\n" +
        "    -v /var/lib/containers:/var/lib/containers IMAGE bootc install to-existing-root",
    );
  withInstallOptions(command).action(async (path, options) => {
    const { installToExistingRoot } = await import("../commands/install/to-existing-root.ts");
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
      const { finalizeInstall } = await import("../commands/install/finalize.ts");
      await finalizeInstall(ctx, path);
    });
  install
    .command("ensure-completion")
    .description("for Anaconda: add what its own deployment of an image lacks")
    .addHelpText("after", "\nExamples:\n  %post\n  bootc install ensure-completion\n  %end")
    .action(async () => {
      const command = await import("../commands/install/ensure-completion.ts");
      await command.ensureInstallCompletion(ctx);
    });
  install
    .command("print-configuration")
    .description("print the merged install configuration as JSON")
    .option("--all", "with the kernel arguments")
    .addHelpText("after", "\nExamples:\n  bootc install print-configuration | jq .filesystem")
    .action(async (options) => {
      const command = await import("../commands/install/print-configuration.ts");
      await command.printInstallConfiguration(ctx, declared(options));
    });
}

function replaceOption() {
  return new Option("--replace <mode>", "what becomes of what is on the root").choices([
    "wipe",
    "alongside",
  ]);
}

/** The options every kind of installation has. */
function withInstallOptions<
  Args extends unknown[],
  Opts extends OptionValues,
  GlobalOpts extends OptionValues,
>(command: CommandOf<Args, Opts, GlobalOpts>) {
  return command
    .option("--source-imgref <image>", "the image: docker://NAME, oci:DIR, … (not in a container)")
    .addOption(
      transportOption(
        "--target-transport <transport>",
        "of what it follows; `registry` by default",
      ),
    )
    .option("--target-imgref <name>", "what the machine follows; else the source")
    .addOption(new Option("--target-no-signature-verification").hideHelp())
    .option("--enforce-container-sigpolicy", "updates must be signed as policy.json asks")
    .option("--run-fetch-check", "make sure the target can be fetched before touching a disk")
    .addOption(new Option("--skip-fetch-check").hideHelp())
    .option("--disable-selinux", "boot with selinux=0")
    .option("--karg <arguments>", "a kernel argument, or several; repeat", collectValues)
    .option(
      "--karg-delete <argument>",
      "remove KEY or KEY=VALUE of the image; repeat",
      collectValues,
    )
    .option("--root-ssh-authorized-keys <file>", "who may log in as root")
    .option("--generic-image", "leave firmware variables alone; for images of machines")
    .addOption(
      new Option("--bound-images <mode>", "where images the image binds come from")
        .choices(["stored", "pull", "skip"])
        .default("stored"),
    )
    .option("--stateroot <name>", "name of the ostree stateroot; `default` by default")
    .option("--bootupd-skip-boot-uuid", "boot loader configuration without the UUID of /boot")
    .addOption(
      new Option("--bootloader <name>", "which; else as the image has it").choices(BOOTLOADERS),
    );
}
