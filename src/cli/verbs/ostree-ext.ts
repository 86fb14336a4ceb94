// Declares the commands of `ostree-ext` that work on whole commits: tar streams, signatures, repairs.
import type { Context } from "../../system/context.ts";
import { type Command, Option } from "../commander.ts";
import { declared, lockTimeoutOption, repositoryOption } from "../options.ts";

export function declareExtension(parent: Command, ctx: Context): void {
  declareTar(parent, ctx);
  declareImaSign(parent, ctx);
  declareRepair(parent, ctx);
}

function declareTar(parent: Command, ctx: Context): void {
  const tar = parent.command("tar").description("move commits as tar streams");
  tar
    .command("import")
    .description("read a commit from a tar into a repository")
    .addOption(repositoryOption())
    .argument("[file]", "the tar (default: standard input)")
    .addHelpText("after", "\nExamples:\n  ostree-ext tar import --repo repo os.tar")
    .action(async (file, options) => {
      const { tarImport } = await import("../../commands/ostree-container/tar-import.ts");
      await tarImport(ctx, declared({ ...options, ...(file !== undefined && { file }) }));
    });
  tar
    .command("export")
    .description("write a commit as a tar to standard output")
    .addOption(repositoryOption())
    .addOption(new Option("--format-version <number>").choices(["1"]).hideHelp())
    .argument("<rev>", "the commit, or a ref")
    .addHelpText("after", "\nExamples:\n  ostree-ext tar export --repo repo os/stable > os.tar")
    .action(async (rev, options) => {
      const { tarExport } = await import("../../commands/ostree-container/tar-export.ts");
      await tarExport(ctx, declared({ ...options, rev }));
    });
}

function declareImaSign(parent: Command, ctx: Context): void {
  parent
    .command("ima-sign")
    .description("make a commit again with an IMA signature, by evmctl, at each of its files")
    .addOption(repositoryOption())
    .argument("<source>", "the commit, or a ref")
    .argument("<target-ref>", "the ref that gets the new commit")
    .argument("<algorithm>", "the digest algorithm, for instance sha256")
    .argument("<key>", "the file with the private key")
    .option("--overwrite", "also replace signatures that are there already")
    .addOption(lockTimeoutOption())
    .addHelpText(
      "after",
      "\nExamples:\n  ostree-ext ima-sign --repo repo os/stable os/signed sha256 /etc/keys/ima.pem",
    )
    .action(async (source, target, algorithm, key, options) => {
      const { imaSign } = await import("../../commands/ostree-container/ima-sign.ts");
      await imaSign(ctx, declared({ ...options, source, target, algorithm, key }));
    });
}

/** Hidden, as with other implementations. */
function declareRepair(parent: Command, ctx: Context): void {
  const repair = parent
    .command("provisional-repair", { hidden: true })
    .description("find and remove images whose files were mixed up because of inode numbers");
  repair
    .command("analyze-inodes")
    .description("count the objects whose inode numbers have equal lower halves")
    .addOption(repositoryOption())
    .option("--verbose", "name these objects")
    .option("--write-result-to <file>", "write the result to this file, as JSON")
    .addHelpText(
      "after",
      "\nExamples:\n  ostree-ext provisional-repair analyze-inodes --repo /ostree/repo",
    )
    .action(async (options) => {
      const { analyzeInodes } = await import("../../commands/ostree-container/analyze-inodes.ts");
      await analyzeInodes(ctx, declared(options));
    });
  repair
    .command("repair")
    .description("compare stored images with their layers, and remove those that differ")
    .requiredOption("--sysroot <dir>", "the system's physical root")
    .option("--dry-run", "remove nothing; fail if there is anything to remove")
    .option("--verbose", "name the files that differ")
    .option("--write-result-to <file>", "write the result to this file, as JSON")
    .addOption(lockTimeoutOption())
    .addHelpText(
      "after",
      "\nExamples:\n  ostree-ext provisional-repair repair --sysroot /sysroot --dry-run",
    )
    .action(async (options) => {
      const { repairImages } = await import("../../commands/ostree-container/repair-images.ts");
      await repairImages(ctx, declared(options));
    });
}
