// The blob that Node finds inside itself at start: the program, its compiled form, and fixed options.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { doing } from "../../src/errors.ts";
import type { Tree } from "../task.ts";

/** The fields that we set of Node's SEA configuration; docs/executable.md has the reasons. */
export interface SeaConfig {
  readonly main: string;
  readonly disableExperimentalSEAWarning: boolean;
  readonly useSnapshot: boolean;
  readonly useCodeCache: boolean;
  readonly execArgv: readonly string[];
  readonly execArgvExtension: "none" | "env" | "cli";
}

/**
 * V8 options, which must be the same for compiling and for running the program, or V8 rejects the code cache.
 * While layers pass through, the heap itself is small, but V8 also counts the memory of buffers, and would by
 * default collect garbage once for every 16 MB. Short-lived entries, however, would fill whatever room new
 * objects have.
 */
const V8_OPTIONS = ["--initial-heap-size=64", "--max-semi-space-size=4"];

const JITLESS = "--jitless";

/** Options of the Node that compiles the program; the seed makes the code cache reproducible. */
export const COMPILE_OPTIONS = ["--random-seed=42", ...V8_OPTIONS];

export const SEA_CONFIG: SeaConfig = {
  // Stored in the blob as written here, so never an absolute path.
  main: "bootc.cjs",
  disableExperimentalSEAWarning: true,
  useSnapshot: false,
  useCodeCache: true,
  execArgv: [
    // Without this, SIGUSR1 opens a debugger port in a process that runs as root.
    "--disable-sigusr1",
    // Without this, OpenSSL reads /etc/ssl/openssl.cnf, which can name libraries to load, and mistakes in
    // that file end the process. A missing file is allowed, and nobody can create one in /proc.
    "--openssl-config=/proc/no-openssl-configuration",
    ...V8_OPTIONS,
  ],
  // With any other value, NODE_OPTIONS can make the process run other code.
  execArgvExtension: "none",
};

/** The same without V8's compiler, for systems that forbid executable memory. */
export function withoutCompiler(config: SeaConfig): SeaConfig {
  return { ...config, execArgv: [...config.execArgv, JITLESS] };
}

export interface BlobOptions {
  /** The Node that makes the blob, of the same version as the one that will run it. */
  readonly node: string;
  /** Holds `bootc.cjs`; the blob and its configuration are written to it. */
  readonly folder: string;
  readonly config: SeaConfig;
  /** The name of the blob; `bootc.blob` if not given. */
  readonly output?: string;
}

/** Makes the blob and returns its path. */
export async function makeBlob(
  { ctx }: Tree,
  { node, folder, config, output = "bootc.blob" }: BlobOptions,
): Promise<string> {
  await writeFile(join(folder, "sea.json"), JSON.stringify({ ...config, output }));
  await doing("compiling the program", () =>
    ctx.run(node, [...compileOptions(config), "--experimental-sea-config", "sea.json"], {
      cwd: folder,
      env: { NODE_OPTIONS: undefined },
    }),
  );
  return join(folder, output);
}

function compileOptions({ execArgv }: SeaConfig): readonly string[] {
  return execArgv.includes(JITLESS) ? [...COMPILE_OPTIONS, JITLESS] : COMPILE_OPTIONS;
}
