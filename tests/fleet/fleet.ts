// Twenty machines, each in a network namespace of its own, that share one slot while those that have it get killed.
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startEtcd } from "./etcd.ts";
import { type FleetServer, startFleetServer } from "./server.ts";

/** Names the machine that is down; made anew each time, which fails when two are. */
export const DOWN_FILE = "down";

export interface FleetOptions {
  readonly machines: number;
  /** How often the slot is taken or given back until it ends. */
  readonly steps: number;
  /** A machine that is down is killed each time after so many steps. */
  readonly stepsBetweenKills: number;
}

export interface FleetOutcome {
  readonly steps: number;
  readonly refused: number;
  readonly kills: number;
  /** What machines said that found another one down. */
  readonly failures: readonly string[];
}

export async function runFleet(options: FleetOptions): Promise<FleetOutcome> {
  const dir = await mkdtemp(join(tmpdir(), "bootc-fleet-"));
  const network = makeNetwork(options.machines);
  const etcd = await startEtcd();
  const place = { address: network.address, slots: 1 };
  const servers = [await startFleetServer(etcd, place), await startFleetServer(etcd, place)];
  const machines = network.namespaces.map((namespace, number) =>
    makeMachine({ namespace, number, dir, servers }),
  );
  try {
    return await play(machines, { options, dir, servers });
  } finally {
    await Promise.all(machines.map((it) => it.kill()));
    for (const it of servers) it.stop();
    await etcd.stop();
    network.remove();
    await rm(dir, { recursive: true, force: true });
  }
}

interface Playing {
  readonly options: FleetOptions;
  readonly dir: string;
  readonly servers: readonly FleetServer[];
}

async function play(
  machines: readonly FleetMachine[],
  { options, dir, servers }: Playing,
): Promise<FleetOutcome> {
  for (const it of machines) it.start();
  const sum = (name: keyof FleetServer["counts"]) =>
    servers.reduce((total, it) => total + it.counts[name], 0);
  const countSteps = () => sum("granted") + sum("returned");
  const failures = () => machines.flatMap((it) => it.failures);
  let kills = 0;
  let nextKill = options.stepsBetweenKills;
  while (countSteps() < options.steps && failures().length === 0) {
    await sleep(5);
    if (countSteps() < nextKill) continue;
    const victim = machines[Number(readDown(dir) ?? "x")];
    if (victim === undefined) continue;
    await victim.kill();
    kills += 1;
    nextKill = countSteps() + options.stepsBetweenKills;
    victim.start();
  }
  return { steps: countSteps(), refused: sum("refused"), kills, failures: failures() };
}

function readDown(dir: string): string | undefined {
  try {
    const text = readFileSync(join(dir, DOWN_FILE), "utf8");
    return text === "" ? undefined : text;
  } catch {
    return undefined; // no machine is down
  }
}

interface FleetMachine {
  readonly failures: string[];
  start(): void;
  kill(): Promise<void>;
}

function makeMachine(it: {
  readonly namespace: string;
  readonly number: number;
  readonly dir: string;
  readonly servers: readonly FleetServer[];
}): FleetMachine {
  const failures: string[] = [];
  let child: ChildProcess | undefined;
  let isKilled = false;
  return {
    failures,
    start() {
      isKilled = false;
      const words = [join(import.meta.dirname, "machine.ts"), `${it.number}`, it.dir];
      const program = [process.execPath, ...words, ...it.servers.map((server) => server.url)];
      const started = spawn("ip", ["netns", "exec", it.namespace, ...program], {
        stdio: ["ignore", "ignore", "pipe"],
      });
      let said = "";
      started.stderr?.on("data", (data) => {
        said += data;
      });
      started.once("close", () => {
        if (!isKilled) failures.push(`machine ${it.number}: ${said}`);
      });
      child = started;
    },
    async kill() {
      isKilled = true;
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
      const ended = new Promise((resolve) => child?.once("close", resolve));
      child.kill("SIGKILL");
      await ended;
    },
  };
}

interface Network {
  /** Where servers can be reached from all namespaces. */
  readonly address: string;
  readonly namespaces: readonly string[];
  remove(): void;
}

/** A bridge with our end of each namespace's cable. Addresses are of a range for documentation. */
function makeNetwork(count: number): Network {
  const ip = (...args: readonly string[]) =>
    execFileSync("ip", args, { stdio: ["ignore", "ignore", "pipe"] });
  const tag = `bf${process.pid}`;
  const bridge = `${tag}b`;
  const address = "198.51.100.1";
  const namespaces = Array.from({ length: count }, (_, i) => `${tag}-${i}`);
  const remove = () => {
    for (const it of namespaces) spawnQuietly(["netns", "del", it]);
    spawnQuietly(["link", "del", bridge]);
  };
  try {
    ip("link", "add", bridge, "type", "bridge");
    ip("addr", "add", `${address}/24`, "dev", bridge);
    ip("link", "set", bridge, "up");
    for (const [i, namespace] of namespaces.entries()) {
      const cable = `${tag}v${i}`;
      ip("netns", "add", namespace);
      ip("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", namespace);
      ip("link", "set", cable, "master", bridge, "up");
      ip("-netns", namespace, "addr", "add", `198.51.100.${i + 2}/24`, "dev", "eth0");
      ip("-netns", namespace, "link", "set", "eth0", "up");
    }
    return { address, namespaces, remove };
  } catch (error) {
    remove();
    throw error;
  }
}

/** What was never made cannot be removed, which is not a failure of the clean-up. */
function spawnQuietly(words: readonly string[]): void {
  spawnSync("ip", words, { stdio: "ignore" });
}
