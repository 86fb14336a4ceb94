// Declares `bootc image`: images in this host's repository and container storage.
import type { Context } from "../../system/context.ts";
import { type Command, Option } from "../commander.ts";
import { declared, withAccessOptions } from "../options.ts";

/** Hidden, as with other implementations: the interface is not stable. */
export function declareImageCommands(program: Command, ctx: Context): void {
  const image = program
    .command("image", { hidden: true })
    .description("work with the images that this host stores");
  declareImageList(image, ctx);
  declareCopyToStorage(image, ctx);
  declareUnified(image, ctx);
  declarePodmanCommands(image, ctx);
}

function declareImageList(image: Command, ctx: Context): void {
  image
    .command("list")
    .description("list the images of this host, and those bound to the running one")
    .addOption(
      new Option("--type <type>", "which images: of the host, logically bound, or all")
        .choices(["all", "logical", "host"])
        .default("all" as const),
    )
    .addOption(
      new Option("--format <format>", "output format")
        .choices(["table", "json"])
        .default("table" as const),
    )
    .addHelpText(
      "after",
      "\nExamples:\n  bootc image list\n  bootc image list --type host --format json",
    )
    .action(async (options) => {
      const { hostImageList } = await import("../../commands/image/list.ts");
      await hostImageList(ctx, declared(options));
    });
}

function declareCopyToStorage(image: Command, ctx: Context): void {
  const command = image
    .command("copy-to-storage")
    .description("make a container image of the booted image, or of another stored one")
    .option("--source <image>", "the stored image (default: the booted one)")
    .option(
      "--target <image>",
      "what to call it in podman's storage, or another transport and name (default: localhost/bootc)",
    );
  withAccessOptions(command)
    .addHelpText(
      "after",
      "\nExamples:\n  bootc image copy-to-storage\n" +
        "  bootc image copy-to-storage --target oci:/var/tmp/os",
    )
    .action(async (options) => {
      const { imageCopyToStorage } = await import("../../commands/image/copy-to-storage.ts");
      await imageCopyToStorage(ctx, declared(options));
    });
}

function declareUnified(image: Command, ctx: Context): void {
  image
    .command("set-unified")
    .description("store the booted image for podman as well, and keep it so in updates")
    .addHelpText("after", "\nExamples:\n  bootc image set-unified")
    .action(async () => {
      const { imageSetUnified } = await import("../../commands/image/set-unified.ts");
      await imageSetUnified(ctx);
    });
  image
    .command("pull-from-default-storage")
    .description("copy an image from podman's storage into the one that belongs to this host")
    .argument("<image>", "the image's name in podman's storage")
    .addHelpText(
      "after",
      "\nExamples:\n  bootc image pull-from-default-storage localhost/os:latest",
    )
    .action(async (name) => {
      const { imagePullFromDefaultStorage } = await import(
        "../../commands/image/pull-from-default-storage.ts"
      );
      await imagePullFromDefaultStorage(ctx, name);
    });
}

const PODMAN_VERBS = [
  ["list", "list the images", "--noheading"],
  ["build", "build an image", "--tag localhost/os ."],
  ["pull", "pull images", "quay.io/example/os:latest"],
  ["push", "push an image", "localhost/os docker://quay.io/example/os:latest"],
] as const;

/** What follows the verb is podman's, options included. */
function declarePodmanCommands(image: Command, ctx: Context): void {
  const cmd = image
    .command("cmd")
    .description("run podman's commands for images on the container storage of this host");
  for (const [verb, about, example] of PODMAN_VERBS) {
    cmd
      .command(verb)
      .description(`${about} in the container storage of this host`)
      .argument("[args...]", `words for \`podman image ${verb}\``)
      .allowUnknownOption()
      .addHelpText("after", `\nExamples:\n  bootc image cmd ${verb} ${example}`)
      .action(async (args) => {
        const { imageCommand } = await import("../../commands/image/cmd.ts");
        await imageCommand(ctx, verb, args);
      });
  }
}
