// Declares the commands of `ostree container` that make container images of commits.
import type { Context } from "../../system/context.ts";
import type { Command } from "../commander.ts";
import { collectValues, declared, repositoryOption, withAccessOptions } from "../options.ts";

export function declareEncapsulate(container: Command, ctx: Context): void {
  const command = container
    .command("encapsulate")
    .alias("export")
    .description("make a container image of a commit, and copy it somewhere")
    .addOption(repositoryOption())
    .argument("<rev>", "the commit, or a ref")
    .argument("<target>", "where the image goes, for instance oci:/srv/os")
    .option("-l, --label <key=value>", "a label; may be repeated", collectValues, [])
    .option("--config <file>", "JSON with the `config` of the image's configuration")
    .option("--copymeta <key>", "make this metadata of the commit a label", collectValues, [])
    .option("--copymeta-opt <key>", "the same if the commit has it", collectValues, [])
    .option("--cmd <word>", "a word of the command of containers; may be repeated", collectValues)
    .option("--compression-fast", "compress layers less, but faster")
    .option("--contentmeta <file>", "JSON that says which layer each file belongs to");
  withAccessOptions(command)
    .addHelpText(
      "after",
      "\nExamples:\n" +
        "  ostree container encapsulate --repo repo os/stable docker://quay.io/example/os\n" +
        "  ostree container encapsulate --repo repo --copymeta version os/stable oci:/srv/os",
    )
    .action(async (rev, target, options) => {
      const { encapsulate } = await import("../../commands/ostree-container/encapsulate.ts");
      await encapsulate(ctx, declared({ ...options, rev, target }));
    });
}

export function declareReplaceDetached(image: Command, ctx: Context): void {
  const command = image
    .command("replace-detached-metadata")
    .description("copy an image, with other detached metadata beside its commit")
    .requiredOption("--src <image>", "the image, for instance docker://quay.io/example/os")
    .requiredOption("--dest <image>", "where the changed image goes")
    .argument("[file]", "the new metadata, as in a .commitmeta object (default: none)");
  withAccessOptions(command)
    .addHelpText(
      "after",
      "\nExamples:\n" +
        "  ostree container image replace-detached-metadata --src oci:/srv/a --dest oci:/srv/b new.meta",
    )
    .action(async (file, options) => {
      const { imageReplaceDetachedMetadata } = await import(
        "../../commands/ostree-container/image/replace-detached-metadata.ts"
      );
      await imageReplaceDetachedMetadata(
        ctx,
        declared({ ...options, ...(file !== undefined && { file }) }),
      );
    });
}

export function declareCommit(container: Command, ctx: Context): void {
  container
    .command("commit")
    .description("empty /run, /tmp, /var/tmp and /var/cache, as the last step of a container build")
    .addHelpText("after", "\nExamples:\n  ostree container commit")
    .action(async () => {
      const { containerCommit } = await import("../../commands/ostree-container/commit.ts");
      await containerCommit(ctx);
    });
}

export function declareCompare(container: Command, ctx: Context): void {
  const command = container
    .command("compare")
    .description("count the layers in which two images differ")
    .argument("<from>", "an image, for instance ostree-unverified-registry:quay.io/example/os:1")
    .argument("<to>", "the other image");
  withAccessOptions(command)
    .addHelpText(
      "after",
      "\nExamples:\n  ostree container compare ostree-unverified-image:oci:a ostree-unverified-image:oci:b",
    )
    .action(async (from, to, options) => {
      const { compareImages } = await import("../../commands/ostree-container/compare.ts");
      await compareImages(ctx, declared({ ...options, from, to }));
    });
}

export function declareReexport(image: Command, ctx: Context): void {
  const command = image
    .command("reexport")
    .description("make a container image of a stored one, and copy it somewhere")
    .addOption(repositoryOption())
    .argument("<source>", "the stored image, for instance docker://quay.io/example/os")
    .argument("<target>", "where the image goes, for instance oci:/srv/os")
    .option("--compression-fast", "compress layers less, but faster");
  withAccessOptions(command)
    .addHelpText(
      "after",
      "\nExamples:\n" +
        "  ostree container image reexport --repo repo docker://quay.io/example/os oci:/srv/os",
    )
    .action(async (source, target, options) => {
      const { imageReexport } = await import("../../commands/ostree-container/image/reexport.ts");
      await imageReexport(ctx, declared({ ...options, source, target }));
    });
}
