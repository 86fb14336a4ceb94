// A reverse proxy in front of a registry that fails in chosen ways, and a forward proxy that counts.
import { once } from "node:events";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";

/** How the proxy treats one request. */
export type Fate =
  | { readonly kind: "pass" }
  /** Answers with only this status. */
  | { readonly kind: "status"; readonly status: number }
  /** Sends so many bytes of the answer's body, then nothing, and leaves the connection open. */
  | { readonly kind: "stall"; readonly afterBytes: number }
  /** Sends so many bytes of the answer's body, then breaks the connection. */
  | { readonly kind: "cut"; readonly afterBytes: number }
  /** Sends the body with one byte changed. */
  | { readonly kind: "corrupt" }
  /** Sends the body once this promise resolves. */
  | { readonly kind: "hold"; readonly until: Promise<void> }
  /** Sends the body no faster than this. */
  | { readonly kind: "slow"; readonly bytesPerSecond: number };

export const PASS: Fate = { kind: "pass" };

export interface Proxy {
  readonly address: string;
  /** Paths that were asked for, in order. */
  readonly asked: readonly string[];
  stop(): Promise<void>;
}

/** Serves `target` (`HOST:PORT`); `decide` chooses the fate of each request by its method and path. */
export async function startFaultyProxy(
  target: string,
  decide: (path: string, method: string) => Fate,
): Promise<Proxy> {
  const asked: string[] = [];
  const server = createServer((incoming, outgoing) => {
    asked.push(`${incoming.method} ${incoming.url}`);
    const fate = decide(incoming.url ?? "", incoming.method ?? "");
    if (fate.kind === "status") {
      outgoing.writeHead(fate.status).end();
      return;
    }
    forward(target, incoming, { outgoing, fate });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

function forward(
  target: string,
  incoming: IncomingMessage,
  { outgoing, fate }: { readonly outgoing: ServerResponse; readonly fate: Fate },
): void {
  const [host, port] = target.split(":");
  const { method, url, headers } = incoming;
  const upstream = request({ host, port, method, path: url, headers }, (answer) => {
    outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
    void passBody(answer, outgoing, fate);
  });
  upstream.on("error", () => outgoing.destroy());
  incoming.pipe(upstream);
}

async function passBody(answer: IncomingMessage, outgoing: ServerResponse, fate: Fate) {
  let passed = 0;
  outgoing.on("error", () => answer.destroy());
  if (fate.kind === "hold") await fate.until;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    if (outgoing.destroyed) return;
    if (fate.kind === "stall" || fate.kind === "cut") {
      const rest = Math.max(0, fate.afterBytes - passed);
      passed += chunk.length;
      outgoing.write(chunk.subarray(0, rest));
      if (passed <= fate.afterBytes) continue;
      if (fate.kind === "cut") outgoing.destroy();
      return;
    }
    if (fate.kind === "corrupt" && passed === 0)
      chunk.writeUInt8(chunk.readUInt8(chunk.length >> 1) ^ 0xff, chunk.length >> 1);
    passed += chunk.length;
    outgoing.write(chunk);
    if (fate.kind === "slow") {
      await new Promise((resolve) =>
        setTimeout(resolve, (chunk.length / fate.bytesPerSecond) * 1000),
      );
    }
  }
  outgoing.end();
}

/** A proxy for HTTPS_PROXY: it connects every CONNECT to `target`, whatever name was asked for. */
export async function startConnectProxy(target: string): Promise<Proxy> {
  const asked: string[] = [];
  const server = createServer((_incoming, outgoing) => outgoing.writeHead(405).end());
  // Connections handed over by CONNECT no longer belong to the server.
  const sockets = new Set<{ destroy(): void }>();
  server.on("connect", (incoming, socket, head) => {
    asked.push(incoming.url ?? "");
    sockets.add(socket);
    const [host = "", port = ""] = target.split(":");
    const upstream = connect(Number(port), host, () => {
      socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
      upstream.write(head);
      upstream.pipe(socket);
      socket.pipe(upstream);
    });
    upstream.on("error", () => socket.destroy());
    socket.on("error", () => upstream.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    async stop() {
      for (const it of sockets) it.destroy();
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
