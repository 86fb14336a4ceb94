// `xtask build`: makes bootc one executable, from the bundle, its blob and the pinned runtime.
import { chmod, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { Option } from "../src/cli/commander.ts";
import { declared } from "../src/cli/options.ts";
import { BootcError, doing } from "../src/errors.ts";
import { writeWhole } from "./archive/write-whole.ts";
import {
  COMPILE_OPTIONS,
  makeBlob,
  SEA_CONFIG,
  type SeaConfig,
  withoutCompiler,
} from "./build/blob.ts";
import { bundle } from "./build/bundle.ts";
import { readRuntime, type UsedRuntime } from "./build/used-runtime.ts";
import { readCheckout } from "./checkout/checkout.ts";
import { injectBlob } from "./elf/inject.ts";
import { ARCHITECTURES, type Architecture, isArchitecture } from "./runtime/locked.ts";
import { defineTask, type Tree } from "./task.ts";

const ENGINES = ["injector", "builtin"] as const;

export interface BuildOptions {
  readonly architecture: Architecture;
  /** `injector` is ours; `builtin` is Node's `--build-sea`, whose result breaks when it is stripped. */
  readonly engine: (typeof ENGINES)[number];
  /** Absolute path of the executable to make. */
  readonly out: string;
  /** Folder of an unpacked runtime, which contains `bin/node`; the lockfile's runtime by default. */
  readonly runtime?: string | undefined;
  /** The version that it reports; the checkout's by default. */
  readonly version?: string | undefined;
}

export const task = defineTask({
  declare: (command) =>
    command
      .addOption(
        new Option("--arch <arch>", "architecture to build for; this machine's by default").choices(
          ARCHITECTURES,
        ),
      )
      .addOption(
        new Option("--engine <engine>", "what puts the program into the runtime")
          .choices(ENGINES)
          .default("injector"),
      )
      .option("--out <file>", "where to write it; target/bootc by default")
      .option("--runtime <folder>", "use an unpacked runtime (bin/node) instead of the lockfile's")
      .option(
        "--version-string <version>",
        "the version that it reports; the checkout's by default",
      )
      .addHelpText(
        "after",
        "\nExamples:\n  npm run xtask build\n  npm run xtask -- build --arch arm64 --out target/bootc.arm64",
      ),
  run: async (tree, options) =>
    relative(tree.top, await build(tree, parseOptions(tree, declared(options)))),
});

/** Builds target/bootc for this machine and returns its path. */
export async function buildHere(tree: Tree): Promise<string> {
  return await build(tree, parseOptions(tree, { engine: "injector" }));
}

interface BuildFlags {
  readonly arch?: Architecture;
  readonly engine: BuildOptions["engine"];
  readonly out?: string;
  readonly runtime?: string;
  readonly versionString?: string;
}

function parseOptions(tree: Tree, options: BuildFlags): BuildOptions {
  const architecture = options.arch ?? process.arch;
  if (!isArchitecture(architecture)) {
    throw new BootcError(`there is no runtime for \`${architecture}\``, { kind: "unsupported" });
  }
  const path = (value?: string) => (value === undefined ? undefined : resolve(value));
  return {
    architecture,
    engine: options.engine,
    out: path(options.out) ?? join(tree.top, "target", "bootc"),
    runtime: path(options.runtime),
    version: options.versionString,
  };
}

/** Builds the executable and returns its path. The same commit gives the same bytes in every folder. */
export async function build(tree: Tree, options: BuildOptions): Promise<string> {
  const version = options.version ?? (await readCheckout(tree, { allowDirty: true })).version;
  const runtime = await readRuntime(tree, options.architecture, options.runtime);
  const folder = join(tree.top, "target", "build", options.architecture);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const config = seaConfig(options.architecture);
  // Without the cache, what is compiled early would be compiled at every start.
  const hasLateFunctions = !config.useCodeCache;
  await doing("bundling", () => bundle(tree, { version, folder, hasLateFunctions }));
  await writeWhole(options.out, async (temp) => {
    if (options.engine === "injector") await inject(tree, { runtime, folder, config, out: temp });
    else await buildWithNode(tree, { runtime, folder, config, out: temp });
    await chmod(temp, 0o755);
  });
  return options.out;
}

/** Making a code cache runs the code, so there is none for another architecture. */
function seaConfig(architecture: Architecture): SeaConfig {
  return { ...SEA_CONFIG, useCodeCache: architecture === process.arch };
}

interface Parts {
  readonly runtime: UsedRuntime;
  readonly folder: string;
  readonly config: SeaConfig;
  readonly out: string;
}

async function inject(tree: Tree, { runtime, folder, config, out }: Parts): Promise<void> {
  const node = runtime.generator;
  const blob = await makeBlob(tree, { node, folder, config });
  const jitless = await makeBlob(tree, {
    ...{ node, folder, config: withoutCompiler(config), output: "bootc-jitless.blob" },
  });
  await doing("putting the program into the runtime", async () => {
    const blobs = [await readFile(blob), await readFile(jitless)] as const;
    await writeFile(out, injectBlob(runtime.stripped, ...blobs));
  });
}

async function buildWithNode(tree: Tree, { runtime, folder, config, out }: Parts): Promise<void> {
  const executable = join(folder, "node");
  await writeFile(executable, runtime.stripped, { mode: 0o755 });
  await writeFile(
    join(folder, "sea.json"),
    JSON.stringify({ ...config, executable: "node", output: out }),
  );
  await tree.ctx.run(runtime.generator, [...COMPILE_OPTIONS, "--build-sea", "sea.json"], {
    cwd: folder,
    env: { NODE_OPTIONS: undefined },
  });
}
