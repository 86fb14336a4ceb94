// A TCP relay that makes a loopback registry look far away: it delays data and limits each connection's rate.
import { createConnection, createServer, type Server, type Socket } from "node:net";
import { Transform } from "node:stream";

export interface SlowLink {
  /** The port of the registry on the loopback interface. */
  readonly targetPort: number;
  /** Round-trip time in milliseconds, which opening a connection also takes. */
  readonly latencyMs: number;
  /** Rate towards the client for each connection; unlimited when undefined. */
  readonly bytesPerSecond?: number;
}

export interface RunningLink {
  readonly port: number;
  close(): Promise<void>;
}

/** Starts the relay on a free loopback port. */
export async function startSlowLink(link: SlowLink): Promise<RunningLink> {
  const sockets = new Set<Socket>();
  const server = createServer({ pauseOnConnect: true }, (client) => relay(client, link, sockets));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: portOf(server),
    close: () =>
      new Promise((resolve, reject) => {
        for (const socket of sockets) socket.destroy();
        server.close((error) => (error ? reject(error) : resolve()));
      }),
  };
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string")
    throw new Error("unreachable: not a TCP port");
  return address.port;
}

function relay(client: Socket, link: SlowLink, sockets: Set<Socket>): void {
  const target = createConnection({ port: link.targetPort, host: "127.0.0.1", noDelay: true });
  for (const socket of [client, target]) {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    // The client sees a broken connection, as it would without the relay.
    socket.on("error", () => {
      client.destroy();
      target.destroy();
    });
  }
  const oneWayMs = link.latencyMs / 2;
  // A handshake costs one round trip before the first byte can be sent.
  setTimeout(() => {
    client.pipe(delayed(oneWayMs, undefined)).pipe(target);
    target.pipe(delayed(oneWayMs, link.bytesPerSecond)).pipe(client);
  }, link.latencyMs);
}

/** Passes chunks on in order after `delayMs`, at `bytesPerSecond` at most. */
function delayed(delayMs: number, bytesPerSecond: number | undefined): Transform {
  const inFlight: { readonly chunk: Buffer; readonly arriveAt: number }[] = [];
  let freeAt = 0;
  let ended: (() => void) | undefined;
  const deliver = (stream: Transform) => {
    const now = performance.now();
    while (inFlight[0] && inFlight[0].arriveAt <= now) stream.push(inFlight.shift()?.chunk);
    const next = inFlight[0];
    if (next) setTimeout(deliver, Math.max(1, next.arriveAt - now), stream);
    else ended?.();
  };
  return new Transform({
    // The buffer holds all data in transit, so that the delay itself does not limit the rate.
    readableHighWaterMark: 1 << 20,
    writableHighWaterMark: 1 << 20,
    transform(chunk: Buffer, _encoding, done) {
      const now = performance.now();
      const sendMs = bytesPerSecond === undefined ? 0 : (chunk.length / bytesPerSecond) * 1000;
      freeAt = Math.max(now, freeAt) + sendMs;
      inFlight.push({ chunk, arriveAt: freeAt + delayMs });
      if (inFlight.length === 1) setTimeout(deliver, Math.max(1, freeAt + delayMs - now), this);
      // The sender may continue as soon as the link has taken the chunk, before it arrives.
      if (freeAt <= now) done();
      else setTimeout(done, freeAt - now);
    },
    flush(done) {
      if (inFlight.length === 0) done();
      else ended = done;
    },
  });
}
