// Runs the program from this checkout as users run it, and makes repositories for it.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { errnoOf } from "../../src/errors.ts";

const TOP = join(import.meta.dirname, "../..");
const ENTRY = join(TOP, "src/entry.ts");

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly pid: number;
  readonly ended: Promise<Ended>;
  kill(signal: NodeJS.Signals): void;
  /** Resolves when `isTrue` returns true; an error when the program ends first. */
  until(isTrue: () => boolean): Promise<void>;
  /** Resolves when standard error contains `text`. */
  says(text: string): Promise<void>;
}

export interface StartOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** A command that starts the program: `unshare`, `--mount`, … */
  readonly before?: readonly string[];
}

/** In the environment of what this test starts, and of all that comes of it, even without a parent. */
const OURS = ["STARTED_BY_TEST", `${process.pid}`] as const;

export function startBootc(args: readonly string[], options: StartOptions = {}): Running {
  const [program = "", ...words] = [...(options.before ?? []), process.execPath, ENTRY, ...args];
  const child = spawn(program, words, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...Object.fromEntries([OURS]), ...options.env },
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (it) => {
    stdout += it;
  });
  child.stderr.on("data", (it) => {
    stderr += it;
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status) => resolve({ status, stdout, stderr }));
  });
  return {
    pid: child.pid ?? 0,
    ended,
    async until(isTrue) {
      while (!isTrue()) {
        if (child.exitCode !== null) throw new Error(`it ended too early: ${stderr}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    kill: (signal) => void child.kill(signal),
    says: (text) =>
      new Promise((resolve, reject) => {
        const look = () => stderr.includes(text) && resolve();
        look();
        child.stderr.on("data", look);
        child.once("close", () => reject(new Error(`it never said \`${text}\`: ${stderr}`)));
      }),
  };
}

export async function bootc(args: readonly string[], options: StartOptions = {}): Promise<Ended> {
  return await startBootc(args, options).ended;
}

/** The command lines of running programs that this test has started, with `text` in their arguments. */
export function commandLinesWith(text: string): readonly string[] {
  const pids = readdirSync("/proc").filter((it) => /^\d+$/.test(it) && isOurs(it));
  const lines = pids.map((it) => readOfProcess(it, "cmdline").replaceAll("\0", " ").trim());
  return lines.filter((it) => it.includes(text));
}

function isOurs(pid: string): boolean {
  return readOfProcess(pid, "environ").split("\0").includes(OURS.join("="));
}

/** A file of `/proc/PID`. Empty for a program that has ended, waited for or not. */
export function readOfProcess(pid: string, name: "cmdline" | "environ" | "mountinfo"): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, "utf8");
  } catch (error) {
    // EINVAL: the mounts of a process that has ended and was not waited for.
    const gone = ["ENOENT", "ESRCH", "EINVAL"];
    // In a container, not even root may see how the machine's own processes were started.
    const empty = name === "environ" ? [...gone, "EACCES"] : gone;
    if (empty.includes(errnoOf(error) ?? "")) return "";
    throw error;
  }
}

/** Waits a short time until no program has `text` in its arguments; returns those that still do. */
export async function outliving(text: string): Promise<readonly string[]> {
  const endsAt = Date.now() + 2000;
  for (;;) {
    const lines = commandLinesWith(text);
    if (lines.length === 0 || Date.now() > endsAt) return lines;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** `ostree container image pull REPO REFERENCE …` */
export function pullArgs(
  repo: string,
  reference: string,
  ...more: readonly string[]
): readonly string[] {
  return ["internals", "ostree-container", "image", "pull", repo, reference, ...more];
}

export interface Scratch {
  readonly dir: string;
  /** A new repository. */
  repo(name?: string): string;
  remove(): Promise<void>;
}

/** A directory for one test file. */
export async function makeScratch(): Promise<Scratch> {
  const dir = await mkdtemp(join(tmpdir(), "bootc-repo-test-"));
  let count = 0;
  return {
    dir,
    repo(name) {
      count++;
      const repo = join(dir, name ?? `repo-${count}`);
      ostree("init", `--repo=${repo}`, "--mode=bare");
      return repo;
    },
    async remove() {
      // skopeo leaves its storage mounted on itself.
      spawnSync("umount", [join(dir, "storage/overlay")], { stdio: "ignore" });
      // Deployments are immutable. chattr complains about symbolic links and sockets, which is harmless.
      spawnSync("chattr", ["-R", "-f", "-i", dir], { stdio: "ignore" });
      await rm(dir, { recursive: true, force: true });
    },
  };
}

export function ostree(...args: readonly string[]): string {
  return execFileSync("ostree", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

export function skopeo(...args: readonly string[]): string {
  return execFileSync("skopeo", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}
