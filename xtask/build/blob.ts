// What Node finds inside itself at start: the program, its compiled form, and options nobody can add to.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { doing } from "../../src/errors.ts";
import type { Tree } from "../task.ts";

/** Node's documented fields of a SEA configuration that we set; reasons in docs/executable.md. */
export interface SeaConfig {
  readonly main: string;
  readonly disableExperimentalSEAWarning: boolean;
  readonly useSnapshot: boolean;
  readonly useCodeCache: boolean;
  readonly execArgv: readonly string[];
  readonly execArgvExtension: "none" | "env" | "cli";
}

/**
 * Options of the engine, the same when the program is compiled and when it runs: its code cache would be
 * rejected otherwise. While layers pass through, the heap itself is small and what buffers take is counted,
 * so that by its own measure the engine collects garbage once for every 16 MB.
 */
const V8_OPTIONS = ["--initial-heap-size=128"];

/** What a Node that compiles the program is given; the seed makes the code cache the same every time. */
export const COMPILE_OPTIONS = ["--random-seed=42", ...V8_OPTIONS];

export const SEA_CONFIG: SeaConfig = {
  // Written into the blob as it stands here, so never an absolute path.
  main: "bootc.cjs",
  disableExperimentalSEAWarning: true,
  useSnapshot: false,
  useCodeCache: true,
  execArgv: [
    // Without it, SIGUSR1 opens a debugger on a port of a process that runs as root.
    "--disable-sigusr1",
    // Without it, OpenSSL reads /etc/ssl/openssl.cnf, which can name libraries to load, and ends the
    // process over mistakes there. A missing file is none; nobody can make one in /proc.
    "--openssl-config=/proc/no-openssl-configuration",
    ...V8_OPTIONS,
  ],
  // With any other value, NODE_OPTIONS can make the process run other code.
  execArgvExtension: "none",
};

export interface BlobOptions {
  /** The Node that makes it: of the same version as the one that will run it. */
  readonly node: string;
  /** Holds `bootc.cjs`; gets `sea.json` and `bootc.blob`. */
  readonly folder: string;
  readonly config: SeaConfig;
}

/** The path of the blob. */
export async function makeBlob(
  { ctx }: Tree,
  { node, folder, config }: BlobOptions,
): Promise<string> {
  const output = "bootc.blob";
  await writeFile(join(folder, "sea.json"), JSON.stringify({ ...config, output }));
  await doing("compiling the program", () =>
    ctx.run(node, [...COMPILE_OPTIONS, "--experimental-sea-config", "sea.json"], {
      cwd: folder,
      env: { NODE_OPTIONS: undefined },
    }),
  );
  return join(folder, output);
}
