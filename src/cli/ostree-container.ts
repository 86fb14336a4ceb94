// `internals ostree-container`: images in any ostree repository, for installers and image pipelines.
import { type Command, InvalidArgumentError, Option } from "commander";
import type { Context } from "../system/context.ts";

export function declareOstreeContainer(parent: Command, ctx: Context): void {
  const container = parent
    .command("ostree-container")
    .description("move images between registries and ostree repositories");
  const image = container.command("image").description("images stored in a repository");
  declarePull(image, ctx);
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
      const { imagePull } = await import("../commands/ostree-container-image-pull.ts");
      await imagePull(ctx, { ...options, repo, imgref });
    });
}

/** The options by which a registry is reached; `AccessWords` in the commands. */
export function withAccessOptions(command: Command): Command {
  return command
    .option("--authfile <file>", "credentials for the registry")
    .option("--auth-anonymous", "use no credentials")
    .option("--cert-dir <dir>", "certificates for the registry (*.crt, *.cert, *.key)")
    .option("--insecure-skip-tls-verification", "do not verify the registry's certificate");
}

/** The options that limit how long a pull may take; `PullWords` in the commands. */
export function withPullOptions(command: Command): Command {
  return command
    .addOption(
      seconds("--lock-timeout <seconds>", "how long to wait for another writer (default: 60)"),
    )
    .addOption(
      seconds("--stall-timeout <seconds>", "restart a transfer that is stuck (default: 60)"),
    )
    .addOption(
      seconds("--give-up-after <seconds>", "fail when nothing comes for so long (default: 300)"),
    );
}

function seconds(flags: string, description: string): Option {
  return new Option(flags, description).argParser((text) => {
    const value = Number(text);
    if (/^\d+(\.\d+)?$/.test(text) && value <= 1e6) return value;
    throw new InvalidArgumentError("a number of seconds is needed.");
  });
}
