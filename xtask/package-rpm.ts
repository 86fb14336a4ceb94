// `xtask package-rpm`: rebuilds the source package as COPR does: as another user, without network or Node.
import { copyFile, mkdir, readdir, writeFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { Option } from "../src/cli/commander.ts";
import { declared } from "../src/cli/options.ts";
import { BootcError } from "../src/errors.ts";
import { writeWhole } from "./archive/write-whole.ts";
import { ensurePrograms } from "./checks/requirements.ts";
import { type PackagedFlags, packageSrpm, readPackagedCheckout } from "./package-srpm.ts";
import { runEmulated } from "./rpm/emulation.ts";
import { explainRpmbuild, formatDefinitions, NEUTRAL, withScratch } from "./rpm/rpmbuild.ts";
import { ACCOUNTS, BUILD_FOLDER, sandboxCommand } from "./rpm/sandbox.ts";
import { defineTask, type Tree } from "./task.ts";

const MACHINES = ["x86_64", "aarch64"] as const;
export type RpmMachine = (typeof MACHINES)[number];

/** The programs that `packageRpm` starts, and those that rpm starts to unpack the sources. */
export const REBUILD_PROGRAMS = ["rpmbuild", "bwrap", "tar", "zstd"] as const;

export const task = defineTask({
  declare: (command) =>
    command
      .option("--srpm <file>", "source package to rebuild; this checkout's by default")
      .addOption(
        new Option("--target <machine>", "machine to build for; this one by default").choices(
          MACHINES,
        ),
      )
      .option("--payload <io>", "rpm's compression for the result, such as w3.zstdio")
      .option("--outdir <folder>", "folder to write to instead of target/")
      .option("--allow-dirty", "include uncommitted changes, and mark the version")
      .option("--allow-untagged", "build even if this clone lacks the tags of releases")
      .addHelpText(
        "after",
        [
          "",
          "The build cannot reach this machine's Node, npm and its cache, network or environment. A",
          "package for another machine is built under emulation, which takes a few minutes.",
          "",
          "Examples:",
          "  npm run xtask package-rpm",
          "  npm run xtask -- package-rpm --target aarch64",
        ].join("\n"),
      ),
  async run(tree, options) {
    await ensurePrograms(tree, REBUILD_PROGRAMS);
    return await packageRpm(tree, {
      srpm: options.srpm ?? (await makeSrpm(tree, declared(options))),
      machine: options.target ?? ownMachine(),
      payload: options.payload,
      outdir: options.outdir === undefined ? "target" : resolve(options.outdir),
    });
  },
});

async function makeSrpm(tree: Tree, options: PackagedFlags): Promise<string> {
  return await packageSrpm(tree, await readPackagedCheckout(tree, options));
}

export function ownMachine(): RpmMachine {
  return process.arch === "arm64" ? "aarch64" : "x86_64";
}

export interface RpmOptions {
  readonly srpm: string;
  readonly machine: RpmMachine;
  /** rpm's `_binary_payload`; the distribution's default if undefined. */
  readonly payload: string | undefined;
  /** Relative to the checkout, or absolute. */
  readonly outdir: string;
}

/** Rebuilds a source package in a sandbox; the path of the machine's package, beside which others lie. */
export async function packageRpm(tree: Tree, options: RpmOptions): Promise<string> {
  return await withScratch(tree, "rpm", async (scratch) => {
    await copyFile(resolve(tree.top, options.srpm), join(scratch, "bootc.src.rpm"));
    for (const [name, content] of Object.entries(ACCOUNTS))
      await writeFile(join(scratch, name), content);
    await rebuild(tree, scratch, options);
    // The policy module, the same for every machine. It comes first: where the package is, the module is.
    await keepPackages(tree, join(scratch, "RPMS/noarch"), options.outdir);
    const made = await keepPackages(tree, join(scratch, "RPMS", options.machine), options.outdir);
    const [main, ...others] = made.filter((it) => it.startsWith("bootc-"));
    if (main === undefined || others.length > 0) {
      throw new BootcError(`rpmbuild made ${made.join(", ")} instead of one package \`bootc\``);
    }
    return join(options.outdir, main);
  });
}

/** Copies the packages in `folder` to `outdir`, and returns their names. */
async function keepPackages(
  tree: Tree,
  folder: string,
  outdir: string,
): Promise<readonly string[]> {
  const made = await readdir(folder);
  for (const name of made) {
    const path = resolve(tree.top, outdir, name);
    await writeWhole(path, (temp) => copyFile(join(folder, name), temp));
  }
  return made;
}

async function rebuild(tree: Tree, scratch: string, options: RpmOptions): Promise<void> {
  const { ctx, top } = tree;
  const definitions = {
    ...NEUTRAL,
    _topdir: BUILD_FOLDER,
    _dbpath: `${BUILD_FOLDER}/db`,
    ...(options.payload === undefined ? {} : { _binary_payload: options.payload }),
  };
  await mkdir(join(scratch, "db"));
  const macros = await readFedoraMacros(tree);
  if (macros !== undefined) await copyFile(join(top, macros), join(scratch, basename(macros)));
  const rpmbuild = [
    "rpmbuild",
    "--rebuild",
    // Not every distribution records what is installed in an rpm database.
    "--nodeps",
    ...(macros === undefined ? [] : [`--load=${BUILD_FOLDER}/${basename(macros)}`]),
    ...(options.machine === ownMachine() ? [] : ["--target", options.machine]),
    ...formatDefinitions(definitions),
    `${BUILD_FOLDER}/bootc.src.rpm`,
  ];
  await explainRpmbuild("building the package", async () => {
    if (options.machine === ownMachine()) {
      const [program = "", ...args] = await sandboxCommand({ folder: scratch, env: {} });
      await ctx.run(program, [...args, ...rpmbuild]);
    } else await runEmulated(tree, options.machine, { folder: scratch, command: rpmbuild });
  });
}

/** The file of macros to load if rpm lacks Fedora's. */
async function readFedoraMacros({ ctx }: Tree): Promise<string | undefined> {
  const known = await ctx.read("rpmbuild", ["--eval", "%{?_unitdir}"]);
  return known.trim() === "" ? "rpm/macros.fedora" : undefined;
}
