// Declares further commands for scripts, units, tests and tools of other projects.
import type { Context } from "../../system/context.ts";
import { type Command, Option } from "../commander.ts";
import { declared } from "../options.ts";

export function declareInternalExtras(internals: Command, ctx: Context): void {
  declareBlockdev(internals, ctx);
  declareRelabel(internals, ctx);
  declareDirDiff(internals, ctx);
  declareFsverity(internals, ctx);
  declareRhsmFacts(internals, ctx);
  declareDumpCliJson(internals, ctx);
  declareUki(internals, ctx);
  declareLoopback(internals, ctx);
}

function declareBlockdev(internals: Command, ctx: Context): void {
  const blockdev = internals.command("blockdev").description("describe block devices");
  blockdev
    .command("ls")
    .description("print a block device and what is on it as JSON, also without udev")
    .argument("<device>", "the block device")
    .addHelpText("after", "\nExamples:\n  bootc internals blockdev ls /dev/vda")
    .action(async (device) => {
      const { blockdevLs } = await import("../../commands/internals/blockdev.ts");
      await blockdevLs(ctx, device);
    });
  blockdev
    .command("ls-filesystem")
    .description("print the block device of a file system as JSON")
    .argument("<path>", "a directory or file in it")
    .addHelpText("after", "\nExamples:\n  bootc internals blockdev ls-filesystem /sysroot")
    .action(async (path) => {
      const { blockdevLsFilesystem } = await import("../../commands/internals/blockdev.ts");
      await blockdevLsFilesystem(ctx, path);
    });
}

function declareRelabel(internals: Command, ctx: Context): void {
  internals
    .command("relabel")
    .description(
      "give a file, or a directory and everything in it, the labels of this system's policy",
    )
    .argument("<path>", "the file or directory")
    .option("--as-path <path>", "look labels up as if it were at this path")
    .addHelpText(
      "after",
      "\nExamples:\n  bootc internals relabel /etc\n  bootc internals relabel --as-path /etc /mnt/etc",
    )
    .action(async (path, options) => {
      const { relabel } = await import("../../commands/internals/relabel.ts");
      await relabel(ctx, path, declared(options));
    });
  internals
    .command("relabel-overlay-mountpoints")
    .description("label `/`, `/etc` and `/var` where they are writable overlays")
    .addHelpText("after", "\nExamples:\n  bootc internals relabel-overlay-mountpoints")
    .action(async () => {
      const command = await import("../../commands/internals/relabel.ts");
      await command.relabelOverlayMountpoints(ctx);
    });
}

function declareDirDiff(internals: Command, ctx: Context): void {
  internals
    .command("dir-diff")
    .description("show what changed from one directory to another, and make the changes to a third")
    .argument("<pristine>", "what the current directory began as")
    .argument("<current>", "the directory with changes")
    .argument("<new>", "the directory that --merge changes")
    .option("--merge", "make the changes, or none if one is impossible")
    .addHelpText(
      "after",
      "\nExamples:\n  bootc internals dir-diff /usr/etc /etc /var/tmp/etc\n" +
        "  bootc internals dir-diff --merge /usr/etc /etc /var/tmp/etc",
    )
    .action(async (pristine, current, fresh, options) => {
      const { dirDiff } = await import("../../commands/internals/dir-diff.ts");
      await dirDiff(ctx, { pristine, current, fresh }, declared(options));
    });
}

function declareFsverity(internals: Command, ctx: Context): void {
  const fsverity = internals.command("fsverity").description("protect files with fs-verity");
  fsverity
    .command("measure")
    .description("print the SHA-256 digest of a protected file")
    .argument("<path>", "the file")
    .option("--compute", "compute the digest from the content, which needs no protection")
    .addHelpText("after", "\nExamples:\n  bootc internals fsverity measure /usr/lib/os-release")
    .action(async (path, options) => {
      const { fsverityMeasure } = await import("../../commands/internals/fsverity.ts");
      await fsverityMeasure(ctx, path, declared(options));
    });
  fsverity
    .command("enable")
    .description("protect a file, whose content cannot be changed afterwards")
    .argument("<path>", "the file")
    .addHelpText("after", "\nExamples:\n  bootc internals fsverity enable /var/tmp/image.erofs")
    .action(async (path) => {
      const { fsverityEnable } = await import("../../commands/internals/fsverity.ts");
      await fsverityEnable(ctx, path);
    });
}

function declareRhsmFacts(internals: Command, ctx: Context): void {
  internals
    .command("publish-rhsm-facts")
    .description("write which images this host has to /etc/rhsm/facts/bootc.facts")
    .addHelpText("after", "\nExamples:\n  bootc internals publish-rhsm-facts")
    .action(async () => {
      const { publishRhsmFacts } = await import("../../commands/internals/publish-rhsm-facts.ts");
      await publishRhsmFacts(ctx);
    });
}

function declareDumpCliJson(internals: Command, ctx: Context): void {
  internals
    .command("dump-cli-json")
    .description("print all visible commands and options as JSON")
    .addHelpText("after", "\nExamples:\n  bootc internals dump-cli-json")
    .action(async () => {
      const { dumpCliJson } = await import("../../commands/internals/dump-cli-json.ts");
      dumpCliJson(ctx, internals.parent ?? internals);
    });
}

function declareUki(internals: Command, ctx: Context): void {
  internals
    .command("uki")
    .description("unified kernel images")
    .command("extract")
    .description("write the kernel and the initramfs of an image to OUTPUT/VERSION")
    .argument("<uki>", "the unified kernel image")
    .argument("<output>", "the directory above the one that is made")
    .addHelpText("after", "\nExamples:\n  bootc internals uki extract os.efi /usr/lib/modules")
    .action(async (uki, output) => {
      const { ukiExtract } = await import("../../commands/internals/uki.ts");
      await ukiExtract(ctx, uki, output);
    });
}

function declareLoopback(internals: Command, ctx: Context): void {
  internals
    .command("allocate-cleanup-loopback")
    .description("attach a file as a loop device and detach it again, as a test")
    .addOption(new Option("--file-path <file>", "the file").makeOptionMandatory())
    .addHelpText(
      "after",
      "\nExamples:\n  bootc internals allocate-cleanup-loopback --file-path disk.img",
    )
    .action(async (options) => {
      const { allocateCleanupLoopback } = await import("../../commands/internals/loopback.ts");
      await allocateCleanupLoopback(ctx, declared(options));
    });
  internals
    .command("loopback-cleanup-helper")
    .description("detach a loop device when the program that started this ends")
    .addOption(new Option("--device <device>", "the loop device").makeOptionMandatory())
    .action(async (options) => {
      const { loopbackCleanupHelper } = await import("../../commands/internals/loopback.ts");
      await loopbackCleanupHelper(ctx, declared(options));
    });
}
