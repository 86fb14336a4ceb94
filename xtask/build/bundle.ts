// The program as one file that needs nothing but Node: src/ and what it imports, bundled by esbuild.
import { join } from "node:path";
import type { Tree } from "../task.ts";

export interface BundleOptions {
  readonly version: string;
  /** Where `bootc.cjs` and `bundle.json`, the record of what is in it, go. */
  readonly folder: string;
}

/**
 * Bundles src/entry.ts. The WebAssembly build of esbuild serves every architecture by one package,
 * and its command line needs no `node` on PATH, unlike its API, which starts one.
 */
export async function bundle({ ctx, top }: Tree, options: BundleOptions): Promise<void> {
  const { version, folder } = options;
  await ctx.run(
    process.execPath,
    [
      join("node_modules", "esbuild-wasm", "bin", "esbuild"),
      "src/entry.ts",
      "--bundle",
      "--platform=node",
      "--format=cjs",
      "--target=node26",
      "--minify-syntax",
      // Modules are strict; nothing else of tsconfig.json may change what comes out.
      '--tsconfig-raw={"compilerOptions":{"alwaysStrict":true}}',
      "--log-level=warning",
      "--legal-comments=none",
      `--define:BOOTC_VERSION=${JSON.stringify(version)}`,
      `--outfile=${join(folder, "bootc.cjs")}`,
      `--metafile=${join(folder, "bundle.json")}`,
    ],
    { cwd: top, env: { NODE_OPTIONS: undefined } },
  );
}
