// `xtask release`: builds or publishes a release, by two separate options.
import { join } from "node:path";
import { declared } from "../src/cli/options.ts";
import { BootcError } from "../src/errors.ts";
import { defineTask, type Tree } from "./task.ts";

export const task = defineTask({
  declare: (command) =>
    command
      .option("--build", "make the files of the release in target/release")
      .option("--publish", "publish target/release on GitHub (needs GITHUB_TOKEN)")
      .option("--tag <tag>", "the tag to publish; the one at this commit by default")
      .option("--dry-run", "with --publish: check everything, and change nothing")
      .option("--json", "print the answer as JSON")
      .addHelpText(
        "after",
        [
          "",
          "The version has to be the same in the tag, in package.json and at the top of CHANGELOG.md.",
          "Both options may be repeated; what exists already is not made again.",
          "",
          "Examples:",
          "  npm run xtask -- release --build",
          "  npm run xtask -- release --publish --dry-run",
        ].join("\n"),
      ),
  async run(tree, options) {
    if (options.build !== true && options.publish !== true) {
      throw new BootcError("nothing to do", {
        kind: "usage",
        hint: "give --build, --publish or both",
      });
    }
    const folder = options.build === true ? await build(tree) : undefined;
    const url = options.publish === true ? await publish(tree, declared(options)) : undefined;
    if (options.json === true) return JSON.stringify({ folder, url }, undefined, 2);
    return url ?? folder;
  },
});

async function build(tree: Tree): Promise<string> {
  const { buildRelease } = await import("./release/build.ts");
  return await buildRelease(tree);
}

interface PublishFlags {
  readonly tag?: string;
  readonly dryRun?: boolean;
}

async function publish(tree: Tree, { tag, dryRun }: PublishFlags): Promise<string> {
  const [
    { readRelease, RELEASE_FOLDER },
    { readFacts, requireAgreement },
    github,
    { publish: put },
  ] = await Promise.all([
    import("./release/manifest.ts"),
    import("./release/preconditions.ts"),
    import("./release/github.ts"),
    import("./release/publish.ts"),
  ]);
  const folder = join(tree.top, RELEASE_FOLDER);
  const { manifest, files } = await readRelease(folder);
  const agreed = requireAgreement(await readFacts(tree, { tag, manifest }));
  const connection = await github.connectGitHub(tree, await github.readRepository(tree));
  const publication = { agreed, folder, files, terminal: tree.ctx.terminal };
  return await put(connection, publication, { isDryRun: dryRun === true });
}
