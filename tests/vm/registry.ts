// A real registry on this machine's loopback, which the guest reaches as 10.0.2.2.
import type { ChildProcess } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { createConnection } from "node:net";
import { join } from "node:path";
import { spawnBound, waitFor } from "./shell.ts";

/** Ports that a lab may use; the guest's configuration accepts a registry without TLS on each. */
export const REGISTRY_PORTS = [25_000, 25_001, 25_002, 25_003, 25_004, 25_005, 25_006] as const;

export interface Registry {
  readonly port: number;
  /** The registry's address for the guest, and for this machine. */
  readonly guestName: string;
  readonly hostName: string;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** A registry that keeps its blobs in `dir`; it can be stopped and started again. */
export function createRegistry(dir: string, port: number): Registry {
  let child: ChildProcess | undefined;
  return {
    port,
    guestName: `10.0.2.2:${port}`,
    hostName: `127.0.0.1:${port}`,
    async start() {
      if (await answers(port)) throw new Error(`port ${port} is taken; is another test running?`);
      await mkdir(dir, { recursive: true });
      const config = join(dir, "config.yml");
      await writeFile(config, configOf(join(dir, "data"), port));
      child = spawnBound("docker-registry", ["serve", config], { stdio: "ignore" });
      await waitFor("the registry", 30_000, async () => (await answers(port)) || undefined);
    },
    async stop() {
      const running = child;
      child = undefined;
      if (running === undefined) return;
      const ended = new Promise<void>((resolve) => running.once("exit", () => resolve()));
      running.kill("SIGTERM");
      await ended;
    },
  };
}

function configOf(data: string, port: number): string {
  return `version: 0.1
log: { level: error, accesslog: { disabled: true } }
storage:
  filesystem: { rootdirectory: ${data} }
  delete: { enabled: true }
http: { addr: "127.0.0.1:${port}" }
`;
}

async function answers(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = createConnection({ host: "127.0.0.1", port });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
