// A FleetLock server that keeps to the text of the protocol. Its slots are in etcd, so that several can serve a fleet.
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import type { Etcd } from "./etcd.ts";

export interface FleetServer {
  readonly url: string;
  /** Questions that were answered: granted, refused, given back. */
  readonly counts: { granted: number; refused: number; returned: number };
  stop(): void;
}

interface Answer {
  readonly status: number;
  readonly refusal?: { readonly kind: string; readonly value: string };
}

const TRIES = 20;

export async function startFleetServer(
  etcd: Etcd,
  { address, slots }: { readonly address: string; readonly slots: number },
): Promise<FleetServer> {
  const counts = { granted: 0, refused: 0, returned: 0 };
  const server = createServer((request, response) => {
    handle(etcd, slots, request).then(
      ({ status, refusal }) => {
        if (status === 409) counts.refused += 1;
        else if (request.url === "/v1/pre-reboot") counts.granted += 1;
        else counts.returned += 1;
        response.writeHead(status, { "content-type": "application/json" });
        response.end(refusal === undefined ? "" : JSON.stringify(refusal));
      },
      (error: Error) => response.writeHead(500).end(error.message),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${address}:${port}`,
    counts,
    stop: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

async function handle(etcd: Etcd, slots: number, request: IncomingMessage): Promise<Answer> {
  if (request.method !== "POST" || request.headers["fleet-lock-protocol"] !== "true") {
    return refuse(400, "not_fleet_lock", "a header is missing");
  }
  let text = "";
  for await (const chunk of request) text += String(chunk);
  const { id, group } = JSON.parse(text).client_params;
  const isTaking = request.url === "/v1/pre-reboot";
  if (!isTaking && request.url !== "/v1/steady-state") return { status: 404 };
  const key = `groups/${group}/semaphore`;
  for (let tries = 0; tries < TRIES; tries += 1) {
    const before = await etcd.read(key);
    const holders: readonly string[] = JSON.parse(before.text ?? "[]");
    if (holders.includes(id) === isTaking) return { status: 200 };
    if (isTaking && holders.length >= slots) {
      return refuse(409, "failed_lock_semaphore_full", "semaphore full");
    }
    const after = isTaking ? [...holders, id] : holders.filter((it) => it !== id);
    if (await etcd.replace(key, JSON.stringify(after), before.revision)) return { status: 200 };
  }
  return refuse(500, "failed_lock", "too many others changed the semaphore");
}

function refuse(status: number, kind: string, value: string): Answer {
  return { status, refusal: { kind, value } };
}
