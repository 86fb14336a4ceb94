// The verbs for images, which run in an image build or on a directory.
import type { Context } from "../../system/context.ts";
import { type Command, Option } from "../commander.ts";
import { collectValues, declared } from "../options.ts";

export function declareContainerCommands(program: Command, ctx: Context): void {
  const container = program
    .command("container")
    .description("look at an image, in its build or in a directory");
  declareInspect(container, ctx);
  declareLint(container, ctx);
  declareSplit(container, ctx);
  declareUkify(container, ctx);
  declareExport(container, ctx);
}

function declareInspect(container: Command, ctx: Context): void {
  container
    .command("inspect")
    .description("show the kernel and the kernel arguments of an image")
    .addOption(rootfsOption())
    .addOption(
      new Option("--format <format>", "how to print it")
        .choices(["humanreadable", "yaml", "json"])
        .conflicts("json"),
    )
    .option("--json", "same as --format json")
    .addHelpText(
      "after",
      "\nExamples:\n  bootc container inspect\n  bootc container inspect --json --rootfs /mnt | jq .kernel",
    )
    .action(async (options) => {
      const { inspectContainer } = await import("../../commands/container/inspect.ts");
      await inspectContainer(ctx, declared(options));
    });
}

function declareLint(container: Command, ctx: Context): void {
  const collect = (value: string, all: readonly string[] = []) => [...all, value];
  container
    .command("lint")
    .description("look for mistakes in an image; the last step of its build")
    .addOption(rootfsOption())
    .option("--fatal-warnings", "fail for warnings, too")
    .option("--list", "list the checks")
    .option("--skip <name>", "leave out a check; repeat", collect)
    .option("--no-truncate", "print lists of any length whole")
    .addOption(
      new Option("--format <format>", "how to print findings")
        .choices(["human", "json", "sarif", "github"])
        .default("human"),
    )
    .option("--base <image|directory>", "also compare with the base image")
    .option("--image <image>", "also look at the labels and layers of the image")
    .option("--fix", "repair what can be repaired safely")
    .addHelpText(
      "after",
      "\nExamples:\n  RUN bootc container lint --fatal-warnings\n" +
        "  bootc container lint --rootfs /mnt --base docker://quay.io/example/base:42\n" +
        "  bootc container lint --rootfs /mnt --format sarif >lint.sarif",
    )
    .action(async (options) => {
      const { lint } = await import("../../commands/container/lint.ts");
      await lint(ctx, declared(options));
    });
}

function declareSplit(container: Command, ctx: Context): void {
  container
    .command("split-kernel-and-rootfs")
    .description("move the kernel and the initramfs of an image to another directory")
    .addOption(rootfsOption())
    .requiredOption("--output <directory>", "where they go, into a directory named by the version")
    .addHelpText(
      "after",
      "\nExamples:\n  bootc container split-kernel-and-rootfs --rootfs /target --output /target-kernel",
    )
    .action(async (options) => {
      const command = await import("../../commands/container/split-kernel-and-rootfs.ts");
      await command.splitKernelAndRootfs(ctx, declared(options));
    });
}

function declareUkify(container: Command, ctx: Context): void {
  container
    .command("ukify")
    .description("make a unified kernel image of an image's kernel, with ukify")
    .argument("[args...]", "words for `ukify build`, after `--`")
    .addOption(rootfsOption())
    .option(
      "--kernel-dir <directory>",
      "where vmlinuz and initramfs.img are; its name is the version",
    )
    .option("--composefs-digest <digest>", "the composefs digest of the image")
    .option("--allow-missing-verity", "let the image boot from file systems without fs-verity")
    .option("--write-dumpfile-to <file>", "not supported: needs the digest to be computed here")
    .addOption(
      new Option("--karg <argument>", "one more kernel argument; may be repeated")
        .argParser(collectValues)
        .hideHelp(),
    )
    .addHelpText(
      "after",
      "\nExamples:\n" +
        '  bootc container ukify --rootfs /target --composefs-digest "$DIGEST" -- --output /out/os.efi',
    )
    .action(async (args, options) => {
      const { ukify } = await import("../../commands/container/ukify.ts");
      await ukify(ctx, args, declared(options));
    });
}

function declareExport(container: Command, ctx: Context): void {
  container
    .command("export", { hidden: true })
    .description("write the root of an image as a tar, with the labels of its SELinux policy")
    .argument("<target>", "the root of the image")
    .addOption(
      new Option("--format <format>", "the kind of archive").choices(["tar"]).default("tar"),
    )
    .option("-o, --output <file>", "where it goes; standard output if not given")
    .option("--kernel-in-boot", "also put the kernel and the initramfs into /boot")
    .option("--disable-selinux", "write no labels")
    .addHelpText("after", "\nExamples:\n  bootc container export --output root.tar /target")
    .action(async (target, options) => {
      const { exportContainer } = await import("../../commands/container/export.ts");
      await exportContainer(ctx, target, declared(options));
    });
}

function rootfsOption() {
  return new Option("--rootfs <directory>", "the root of the image").default("/");
}
