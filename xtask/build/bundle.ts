// Bundles src/ and its imports with esbuild, into one file that needs nothing but Node.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BootcError } from "../../src/errors.ts";
import type { Tree } from "../task.ts";
import { withEarlyFunctions } from "./early-functions.ts";
import { withLazyBuiltins } from "./lazy-builtins.ts";

export interface BundleOptions {
  readonly version: string;
  /** Where to write `bootc.cjs`, and `bundle.json`, which records what the bundle contains. */
  readonly folder: string;
  /** The module to start with; src/entry.ts by default. */
  readonly entry?: string;
  /** Further options of esbuild, for measurements. */
  readonly flags?: readonly string[];
  /** Loads Node's modules together with the modules that import them, for measurements. */
  readonly hasEagerBuiltins?: boolean;
  /** Leaves every function to be compiled when it is first called: without a code cache, or to measure. */
  readonly hasLateFunctions?: boolean;
}

/** Names what short commands use; `xtask early-functions` writes it. */
export const EARLY_FUNCTIONS = "xtask/build/early-functions.txt";

/**
 * Bundles src/entry.ts. The WebAssembly build of esbuild is one package for every architecture, and its
 * command line needs no `node` on PATH, whereas its API starts one.
 */
export async function bundle(tree: Tree, options: BundleOptions): Promise<void> {
  const outfile = join(options.folder, "bootc.cjs");
  await runEsbuild(tree, options, outfile);
  let text = await readFile(outfile, "utf8");
  if (options.hasEagerBuiltins !== true) {
    text = requireSome("imports", withLazyBuiltins(text));
  }
  if (options.hasLateFunctions !== true) {
    const list = (await readFile(join(tree.top, EARLY_FUNCTIONS), "utf8")).trimEnd().split("\n");
    text = requireSome("functions", withEarlyFunctions(text, list));
  }
  await writeFile(outfile, text);
}

function requireSome(
  what: string,
  found: { readonly text: string; readonly count: number },
): string {
  if (found.count === 0) throw new BootcError(`esbuild writes ${what} in an unknown form`);
  return found.text;
}

async function runEsbuild(
  { ctx, top }: Tree,
  { version, folder, entry = "src/entry.ts", flags = [] }: BundleOptions,
  outfile: string,
): Promise<void> {
  await ctx.run(
    process.execPath,
    [
      join("node_modules", "esbuild-wasm", "bin", "esbuild"),
      entry,
      "--bundle",
      "--platform=node",
      "--format=cjs",
      "--target=node26",
      "--minify-syntax",
      // Modules are strict; no other setting of tsconfig.json may affect the output.
      '--tsconfig-raw={"compilerOptions":{"alwaysStrict":true}}',
      "--log-level=warning",
      "--legal-comments=none",
      ...flags,
      `--define:BOOTC_VERSION=${JSON.stringify(version)}`,
      `--outfile=${outfile}`,
      `--metafile=${join(folder, "bundle.json")}`,
    ],
    { cwd: top, env: { NODE_OPTIONS: undefined } },
  );
}
