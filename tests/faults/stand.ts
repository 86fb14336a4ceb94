// One machine on a file system of its own in memory, on which a verb runs again and again, each time disturbed at
// another system call. The process that uses it needs a private mount namespace.
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { trixieOstree } from "../repo/ostree-versions.ts";
import { makeHost, type SimulatedHost } from "../repo/simulated-boot.ts";
import { type Facts, readFacts } from "./facts.ts";
import { makeImages } from "./images.ts";
import { takeImprint } from "./imprint.ts";
import type { View } from "./look.ts";
import { SCENARIOS, type Scenario } from "./scenarios.ts";
import { type Aim, AT, type CountedCall, SHARED_BYTES, type SupervisorData } from "./shared.ts";
import type { Spawned, SpawnRequest } from "./spawner.ts";

/** Where machines are made. */
const PLACE = "/var/tmp";
/** Where the copy of the machine is mounted that each step begins with. */
const BASE = join(import.meta.dirname, "../../target/faults/base");
const LIMIT_MS = 120_000;

/** How a call is disturbed. */
export interface Disturbance {
  /** Which call, from 1; 0 for none, or for the one aimed at. */
  readonly step: number;
  readonly aim?: Aim | undefined;
  /** What it fails with; 0 to kill. */
  readonly errno: number;
  readonly isLasting: boolean;
}

export interface Run extends Spawned {
  /** How many calls there were. */
  readonly count: number;
  /** How many of them were disturbed. */
  readonly fired: number;
  readonly calls: readonly CountedCall[];
  readonly views: readonly View[];
}

export interface RunOptions {
  readonly isTraced?: boolean;
  readonly isWatched?: boolean;
}

export interface Stand {
  readonly host: SimulatedHost;
  /** Puts the machine into the state before the verb. */
  reset(): void;
  /** Runs the verb. */
  run(disturbance: Disturbance, options?: RunOptions): Promise<Run>;
  facts(): Facts;
  /** Names all that is on the disk. */
  imprint(): string;
  close(): Promise<void>;
}

/** Without an executable, the sources are run. */
export async function openStand(name: string, executable?: string): Promise<Stand> {
  const scenario = SCENARIOS[name];
  if (scenario === undefined) throw new Error(`no scenario is named \`${name}\``);
  await makeImages();
  mkdirSync(BASE, { recursive: true });
  const sh = (command: string, ...args: readonly string[]) =>
    void execFileSync("sh", ["-e", "-c", command, "sh", ...args], {
      stdio: ["ignore", "ignore", "inherit"],
    });
  sh('mount -t tmpfs tmpfs "$1"; mount -t tmpfs tmpfs "$2"', BASE, PLACE);
  const host = makeHost(trixieOstree(), executable === undefined ? {} : { executable });
  const program = executable ?? writeProgram();
  scenario.prepare(host, program);
  sh('cp -a "$2/." "$1"', BASE, PLACE);
  const threads = startThreads(host);
  return {
    host,
    reset: () => sh('umount "$2"; mount -t tmpfs tmpfs "$2"; cp -a "$1/." "$2"', BASE, PLACE),
    run: (disturbance, options = {}) =>
      threads.run(commandOf(scenario, host, program), { ...disturbance, ...options }),
    facts: () => readFacts(host),
    imprint: () => takeImprint(PLACE),
    async close() {
      await threads.end();
      sh('umount "$2"; umount "$1"', BASE, PLACE);
    },
  };
}

/** A program that runs the sources. */
function writeProgram(): string {
  const path = `${PLACE}/bootc`;
  const words = [process.execPath, join(import.meta.dirname, "../../src/entry.ts")];
  writeFileSync(path, `#!/bin/sh\nexec ${words.join(" ")} "$@"\n`, { mode: 0o755 });
  return path;
}

function commandOf(scenario: Scenario, host: SimulatedHost, program: string): SpawnRequest {
  const { words, isBooted } = scenario.command(host);
  if (isBooted) {
    const entering = host.entering(`: > /run/fault-steps-begin; ${words}`);
    return bound(entering.program, ["--kill-child", ...entering.args], entering.env);
  }
  const command = `: > ${PLACE}/fault-steps-begin; ${words.replace(/^exec bootc/, 'exec "$0"')}`;
  const env = { ...host.version.env, TMPDIR: PLACE };
  return bound("unshare", ["--pid", "--fork", "--kill-child", "sh", "-c", command, program], env);
}

/** Ends with the thread that starts it. */
function bound(program: string, args: readonly string[], env: SpawnRequest["env"]): SpawnRequest {
  return {
    program: "setpriv",
    args: ["--pdeathsig", "KILL", "--", program, ...args],
    env,
    timeoutMs: LIMIT_MS,
  };
}

function startThreads({ sysroot, run, repo, version: { env } }: SimulatedHost) {
  const shared = new SharedArrayBuffer(SHARED_BYTES);
  const words = new Int32Array(shared);
  const workerData: SupervisorData = { shared, host: { sysroot, run, repo, env } };
  const supervisor = new Worker(new URL("supervisor.ts", import.meta.url), { workerData });
  const spawner = new Worker(new URL("spawner.ts", import.meta.url), { workerData: shared });
  // Whatever asks would wait for ever.
  const fail = (error: unknown) => {
    console.error(error);
    process.exit(70);
  };
  supervisor.on("error", fail);
  spawner.on("error", fail);
  let messages: (CountedCall | View)[] = [];
  supervisor.on("message", (it: CountedCall | View) => void messages.push(it));
  return {
    async run(
      request: SpawnRequest,
      {
        step,
        aim,
        errno,
        isLasting,
        isTraced = false,
        isWatched = false,
      }: Disturbance & RunOptions,
    ): Promise<Run> {
      messages = [];
      const set = {
        isArmed: 0,
        count: 0,
        fired: 0,
        step,
        errno,
        isLasting: Number(isLasting),
        isTraced: Number(isTraced),
        isWatched: Number(isWatched),
      };
      for (const [key, value] of Object.entries(set))
        Atomics.store(words, AT[key as keyof typeof set], value);
      Atomics.store(words, AT.device, Number(statSync(PLACE).dev));
      supervisor.postMessage(aim);
      spawner.postMessage(request);
      const [spawned] = (await once(spawner, "message")) as [Spawned];
      // The other thread's messages come in order, but not in order with these.
      await new Promise((resolve) => setImmediate(resolve));
      return {
        ...spawned,
        count: Atomics.load(words, AT.count),
        fired: Atomics.load(words, AT.fired),
        calls: messages.filter((it) => "name" in it),
        views: messages.filter((it) => "facts" in it),
      };
    },
    async end() {
      await spawner.terminate();
      Atomics.store(words, AT.isOver, 1);
      await once(supervisor, "exit");
    },
  };
}
