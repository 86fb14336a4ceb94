// Lets the real program pull one damaged image into a separate repository, and records the result.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { lstat, mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf } from "../../src/errors.ts";
import type { Input, PullOfInput } from "./inputs.ts";
import { findCrash, findProblems, firstLine, type Observation, TIME_MAX_MS } from "./judge.ts";

export interface Trial {
  readonly name: string;
  readonly of: string;
  readonly done: readonly string[];
  readonly status: number | null;
  readonly ms: number;
  /** The program's message, in one line. */
  readonly said: string;
  /** Whether `ostree fsck` found nothing. */
  readonly isClean: boolean;
  readonly problems: readonly string[];
}

export interface Bench {
  /** The program under test. */
  readonly executable: string;
  /** A directory for one trial at a time. */
  readonly place: string;
  /** The undamaged image. */
  readonly good: Input;
}

/** One of so many trials makes another pull: of the good image, or of the same one again. */
const EVERY = 8;

/** Pulls the image of `input`; the image stays in `place/image` until the next trial. */
export async function runTrial(bench: Bench, input: Input, number: number): Promise<Trial> {
  const { place } = bench;
  await rm(place, { recursive: true, force: true });
  await mkdir(join(place, "tmp"), { recursive: true });
  await makeRepo(bench, number);
  const pull = await input.write(join(place, "image"));
  const first = await observe(bench, pull);
  const problems = [...findProblems(first)];
  if (first.status === 0) problems.push(...(await showStored(bench, pull)));
  if (number % EVERY === 0) problems.push(...(await pullAgain(bench, pull, first)));
  if (number % EVERY === EVERY / 2) problems.push(...(await pullGood(bench)));
  return {
    name: input.name,
    of: input.of,
    done: input.done,
    status: first.status,
    ms: Math.round(first.ms),
    said: firstLine(first).replaceAll(`${place}/`, ""),
    isClean: first.fsck === "",
    problems,
  };
}

async function makeRepo({ place }: Bench, number: number): Promise<void> {
  const repo = join(place, "repo");
  await finished("ostree", ["init", `--repo=${repo}`, "--mode=bare"]);
  const settings = [
    ["core.fsync", "false"],
    // In such a repository, ostree writes all layers, most of which we would otherwise write ourselves.
    ...(number % 3 === 0 ? [["core.per-object-fsync", "true"]] : []),
  ];
  for (const words of settings) {
    await finished("ostree", ["config", `--repo=${repo}`, "set", ...words]);
  }
}

/** A stored image can be shown: another verb reads its documents. */
async function showStored({ executable, place }: Bench, { image, env }: PullOfInput) {
  const verb = ["internals", "ostree-container", "image", "history"];
  const words = [...verb, "--repo", join(place, "repo"), image];
  const shown = await start(executable, words, { ...process.env, ...env });
  const failure = shown.status === 0 ? [] : [`shown, it ended with status ${shown.status}`];
  return [...failure, ...findCrash(shown.stderr)];
}

/** A failure must repeat, and a success must find nothing to do: nothing half-made passes for complete. */
async function pullAgain(bench: Bench, pull: PullOfInput, first: Observation) {
  const again = await observe(bench, pull);
  const found = findProblems(again).map((it) => `pulled again, it ${it}`);
  if (again.status === first.status) return found;
  return [...found, `pulled again, it ended with ${again.status} instead of ${first.status}`];
}

/** Whatever was pulled before, the good image must be accepted, with only waiting layers beside it. */
async function pullGood(bench: Bench): Promise<readonly string[]> {
  const pull = await bench.good.write(join(bench.place, "good"));
  const { status, stderr, fsck } = await observe(bench, pull);
  const failure = status === 0 ? [] : [`afterwards the good image failed: ${stderr.trim()}`];
  return fsck === "" ? failure : [...failure, `afterwards fsck: ${fsck.trim()}`];
}

async function observe({ executable, place }: Bench, pull: PullOfInput): Promise<Observation> {
  const repo = join(place, "repo");
  const words = ["internals", "ostree-container", "image", "pull", repo, pull.reference];
  const env = { ...process.env, ...pull.env, TMPDIR: join(place, "tmp") };
  const ended = await start(executable, words, env);
  const refs = await finished("ostree", ["refs", `--repo=${repo}`]);
  const fsck = await start("ostree", ["fsck", `--repo=${repo}`, "--quiet"], process.env);
  return {
    ...ended,
    refs: refs.split("\n").filter((it) => it !== ""),
    files: await findFiles(place),
    fsck: fsck.status === 0 ? "" : fsck.stderr || `status ${fsck.status}`,
  };
}

/** All files where a pull works, in the form for the judge, without those that always exist. */
async function findFiles(place: string): Promise<readonly string[]> {
  const found: string[] = [];
  const alwaysThere = /^(extensions\/bootc\/(lock|blobs|blobs\/sha256)|tmp\/cache)$/;
  for (const folder of ["repo/extensions/bootc", "repo/tmp", "repo/state", "tmp"]) {
    for (const name of await namesBelow(join(place, folder))) {
      const shown = join(folder, name).replace(/^repo\//, "");
      if (folder.startsWith("repo") && alwaysThere.test(shown)) continue;
      const path = join(place, folder, name);
      const isBlob = shown.includes("/sha256/");
      const isWrong = isBlob && !((await lstat(path)).isFile() && isWhole(path, name));
      found.push(isWrong ? `wrong:${shown}` : shown);
    }
  }
  return found;
}

function isWhole(path: string, name: string): boolean {
  return name.endsWith(createHash("sha256").update(readFileSync(path)).digest("hex"));
}

async function namesBelow(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder, { recursive: true });
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw error;
  }
}

async function finished(program: string, words: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await start(program, words, process.env);
  if (status === 0) return stdout;
  throw new Error(`${program} ${words.join(" ")}: status ${status}: ${stderr}`);
}

type Ended = Pick<Observation, "status" | "signal" | "ms" | "stdout" | "stderr">;

function start(program: string, words: readonly string[], env: NodeJS.ProcessEnv): Promise<Ended> {
  const { promise, resolve, reject } = Promise.withResolvers<Ended>();
  const startedAt = performance.now();
  const child = spawn(program, words, {
    env,
    stdio: ["ignore", "pipe", "pipe"],
    timeout: TIME_MAX_MS,
    killSignal: "SIGKILL",
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (it) => {
    stdout += it;
  });
  child.stderr.setEncoding("utf8").on("data", (it) => {
    stderr += it;
  });
  child.once("error", reject);
  child.once("close", (status, signal) => {
    resolve({ status, signal, ms: performance.now() - startedAt, stdout, stderr });
  });
  return promise;
}
