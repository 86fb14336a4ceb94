// Declares `ostree container`: images in any ostree repository, for installers and image pipelines.
import type { Context } from "../../system/context.ts";
import { type Command, Option, type OptionOf } from "../commander.ts";
import {
  collectValues,
  declared,
  lockTimeoutOption,
  repositoryOption,
  transportOption,
  withAccessOptions,
  withPullOptions,
} from "../options.ts";
import {
  declareCommit,
  declareCompare,
  declareEncapsulate,
  declareReexport,
  declareReplaceDetached,
} from "./ostree-container-export.ts";

/** Declares the group under `name` in `parent`. */
export function declareOstreeContainer(parent: Command, ctx: Context, name: string): void {
  const container = parent
    .command(name)
    .description("move images between registries and ostree repositories");
  declareUnencapsulate(container, ctx);
  declareEncapsulate(container, ctx);
  declareInfo(container, ctx);
  declareCompare(container, ctx);
  declareCommit(container, ctx);
  const image = container.command("image").description("images stored in a repository");
  declarePull(image, ctx);
  declareQueries(image, ctx);
  declareCopy(image, ctx);
  declareReexport(image, ctx);
  declareReplaceDetached(image, ctx);
  declareRemovals(image, ctx);
  declareDeploy(image, ctx);
}

function declareUnencapsulate(container: Command, ctx: Context): void {
  const command = container
    .command("unencapsulate")
    .alias("import")
    .description("fetch the ostree commit from an image that contains nothing else")
    .addOption(repositoryOption())
    .argument("<imgref>", "the image, for instance ostree-unverified-registry:quay.io/example/base")
    .option("--write-ref <ref>", "point this ref to the commit")
    .option("--quiet", "show no progress");
  withPullOptions(withAccessOptions(command))
    .addHelpText(
      "after",
      "\nExamples:\n" +
        "  ostree container unencapsulate --repo repo --write-ref os ostree-unverified-image:oci:/srv/os",
    )
    .action(async (imgref, options) => {
      const { unencapsulate } = await import("../../commands/ostree-container/unencapsulate.ts");
      await unencapsulate(ctx, declared({ ...options, imgref }));
    });
}

function declareInfo(container: Command, ctx: Context): void {
  const command = container
    .command("info")
    .description("print the current manifest digest of an image reference")
    .argument("<imgref>", "the image, for instance ostree-unverified-registry:quay.io/example/os");
  withAccessOptions(command)
    .addHelpText(
      "after",
      "\nExamples:\n  ostree container info ostree-unverified-registry:quay.io/example/os",
    )
    .action(async (imgref, options) => {
      const { info } = await import("../../commands/ostree-container/info.ts");
      await info(ctx, declared({ ...options, imgref }));
    });
}

function declareQueries(image: Command, ctx: Context): void {
  image
    .command("list")
    .description("list the images of a repository")
    .addOption(repositoryOption())
    .addHelpText("after", "\nExamples:\n  ostree container image list --repo /ostree/repo")
    .action(async (options) => {
      const { imageList } = await import("../../commands/ostree-container/image/list.ts");
      await imageList(ctx, declared(options));
    });
  image
    .command("history")
    .description("show what created each layer of a stored image")
    .addOption(repositoryOption())
    .argument("<image>", "the image, for instance docker://quay.io/example/os")
    .addHelpText(
      "after",
      "\nExamples:\n  ostree container image history --repo /ostree/repo docker://quay.io/example/os",
    )
    .action(async (name, options) => {
      const { imageHistory } = await import("../../commands/ostree-container/image/history.ts");
      await imageHistory(ctx, declared({ ...options, image: name }));
    });
  image
    .command("metadata")
    .description("print the manifest of a stored image as JSON")
    .addOption(repositoryOption())
    .argument("<image>", "the image, for instance docker://quay.io/example/os")
    .option("--config", "print the configuration instead")
    .addHelpText(
      "after",
      "\nExamples:\n  ostree container image metadata --repo repo docker://quay.io/example/os | jq .layers",
    )
    .action(async (name, options) => {
      const { imageMetadata } = await import("../../commands/ostree-container/image/metadata.ts");
      await imageMetadata(ctx, declared({ ...options, image: name }));
    });
}

function declareCopy(image: Command, ctx: Context): void {
  image
    .command("copy")
    .description("copy a stored image into another repository")
    .requiredOption("--src-repo <repo>", "the repository that has the image")
    .requiredOption("--dest-repo <repo>", "the repository that gets it")
    .addOption(lockTimeoutOption())
    .argument("<imgref>", "the image, for instance ostree-unverified-registry:quay.io/example/os")
    .addHelpText(
      "after",
      "\nExamples:\n  ostree container image copy --src-repo a --dest-repo b ostree-unverified-registry:x/y",
    )
    .action(async (imgref, options) => {
      const { imageCopy } = await import("../../commands/ostree-container/image/copy.ts");
      await imageCopy(ctx, declared({ ...options, imgref }));
    });
}

function declareRemovals(image: Command, ctx: Context): void {
  image
    .command("remove")
    .description("remove images from a repository, and the layers that only they need")
    .addOption(repositoryOption())
    .argument("<images...>", "the images, for instance docker://quay.io/example/os")
    .option("--skip-gc", "keep the layers")
    .addOption(lockTimeoutOption())
    .addHelpText(
      "after",
      "\nExamples:\n  ostree container image remove --repo repo docker://quay.io/example/os",
    )
    .action(async (images, options) => {
      const { imageRemove } = await import("../../commands/ostree-container/image/remove.ts");
      await imageRemove(ctx, declared({ ...options, images }));
    });
  image
    .command("prune-layers")
    .description("remove layers that no image or deployment needs")
    .addOption(repositoryOption())
    .addOption(lockTimeoutOption())
    .addHelpText("after", "\nExamples:\n  ostree container image prune-layers --repo /ostree/repo")
    .action(async (options) => {
      const { imagePruneLayers } = await import(
        "../../commands/ostree-container/image/prune-layers.ts"
      );
      await imagePruneLayers(ctx, declared(options));
    });
  image
    .command("prune-images")
    .description("remove images that no deployment follows")
    .requiredOption("--sysroot <dir>", "the system's physical root")
    .option("--and-layers", "also remove layers that are no longer needed")
    .addOption(lockTimeoutOption())
    .addOption(
      new Option("--full", "also remove layers and objects that are no longer needed").conflicts(
        "andLayers",
      ),
    )
    .addHelpText("after", "\nExamples:\n  ostree container image prune-images --sysroot / --full")
    .action(async (options) => {
      const { imagePruneImages } = await import(
        "../../commands/ostree-container/image/prune-images.ts"
      );
      await imagePruneImages(ctx, declared(options));
    });
  image
    .command("clear-cached-update")
    .description("forget the update that the last check found")
    .addOption(repositoryOption())
    .addOption(lockTimeoutOption())
    .argument("<image>", "the image, for instance docker://quay.io/example/os")
    .addHelpText(
      "after",
      "\nExamples:\n  ostree container image clear-cached-update --repo repo docker://quay.io/example/os",
    )
    .action(async (name, options) => {
      const { imageClearCachedUpdate } = await import(
        "../../commands/ostree-container/image/clear-cached-update.ts"
      );
      await imageClearCachedUpdate(ctx, declared({ ...options, image: name }));
    });
}

function declareDeploy(image: Command, ctx: Context): void {
  const command = image
    .command("deploy")
    .description("pull an image into a sysroot and deploy it")
    .option(
      "--imgref <imgref>",
      "the image, for instance ostree-image-signed:docker://quay.io/x/os",
    )
    .option("--image <name>", "the image, by its bare name")
    .addOption(
      transportOption(
        "--transport <transport>",
        "where --image comes from (default: registry)",
      ).conflicts("imgref"),
    )
    .addOption(
      ofImage("--ostree-remote <remote>", "verify --image with the keys of this ostree remote"),
    )
    .addOption(ofImage("--enforce-container-sigpolicy", "require that a policy accepts --image"))
    // Anaconda passes it.
    .addOption(
      plainFlag("--no-signature-verification", "accepted, but has no effect")
        .conflicts("enforceContainerSigpolicy")
        .hideHelp(),
    )
    .option("--sysroot <dir>", "the system's physical root", "/")
    .option(
      "--stateroot <name>",
      "the stateroot to deploy to (default: the booted one, or default)",
    )
    .option("--target-imgref <imgref>", "the image that updates come from")
    .addOption(plainFlag("--no-imgref", "keep no ref to the image"))
    .option("--karg <argument>", "a kernel argument; may be repeated", collectValues, [])
    .option("--write-commitid-to <file>", "write the checksum of the image's commit to this file")
    .option("--quiet", "show no progress");
  withPullOptions(withAccessOptions(command))
    .addHelpText(
      "after",
      "\nExamples:\n  ostree container image deploy --sysroot /mnt --imgref ostree-unverified-registry:x/os",
    )
    .action(async (options) => {
      const { imageDeploy } = await import("../../commands/ostree-container/image/deploy.ts");
      await imageDeploy(ctx, declared(options));
    });
}

/** An option that only applies to `--image`: an `--imgref` already says all of this itself. */
function ofImage<Flags extends string>(flags: Flags, description: string) {
  return new Option(flags, description).conflicts("imgref");
}

/** A flag that only looks like a negation; commander would take `--no-x` for the negation of `--x`. */
function plainFlag<Name extends string>(flags: `--no-${Name}`, description: string) {
  const option = new Option<string>(flags, description);
  option.negate = false;
  return option as unknown as OptionOf<`--no${Capitalize<Name>}`>;
}

function declarePull(image: Command, ctx: Context): void {
  const command = image
    .command("pull")
    .description("fetch an image into a repository")
    .argument("<repo>", "the repository's directory")
    .argument("<imgref>", "the image, for instance ostree-unverified-registry:quay.io/example/os")
    .option("--ostree-digestfile <file>", "write the checksum of the image's commit to this file")
    .option("--check <file>", "fetch nothing; write the manifest of an update to this file")
    .option("--quiet", "show no progress");
  withPullOptions(withAccessOptions(command))
    .addHelpText(
      "after",
      "\nExamples:\n" +
        "  ostree container image pull /ostree/repo ostree-unverified-registry:quay.io/example/os\n" +
        "  ostree container image pull --check new.json repo ostree-unverified-image:oci:/srv/os",
    )
    .action(async (repo, imgref, options) => {
      const { imagePull } = await import("../../commands/ostree-container/image/pull.ts");
      await imagePull(ctx, declared({ ...options, repo, imgref }));
    });
}
