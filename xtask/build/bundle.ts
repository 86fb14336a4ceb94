// The program as one file that needs nothing but Node: src/ and what it imports, bundled by esbuild.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BootcError } from "../../src/errors.ts";
import type { Tree } from "../task.ts";
import { withLazyBuiltins } from "./lazy-builtins.ts";

export interface BundleOptions {
  readonly version: string;
  /** Where `bootc.cjs` and `bundle.json`, the record of what is in it, go. */
  readonly folder: string;
  /** The module to start with. src/entry.ts when not given. */
  readonly entry?: string;
  /** Further options of esbuild, to be measured. */
  readonly flags?: readonly string[];
  /** Leaves Node's modules to be loaded with the module that imports them, to be measured. */
  readonly hasEagerBuiltins?: boolean;
}

/**
 * Bundles src/entry.ts. The WebAssembly build of esbuild serves every architecture by one package,
 * and its command line needs no `node` on PATH, unlike its API, which starts one.
 */
export async function bundle(tree: Tree, options: BundleOptions): Promise<void> {
  const outfile = join(options.folder, "bootc.cjs");
  await runEsbuild(tree, options, outfile);
  if (options.hasEagerBuiltins === true) return;
  const { text, count } = withLazyBuiltins(await readFile(outfile, "utf8"));
  if (count === 0) throw new BootcError("esbuild writes imports in another form than we know");
  await writeFile(outfile, text);
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
      // Modules are strict; nothing else of tsconfig.json may change what comes out.
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
