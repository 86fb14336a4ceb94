// A TCP relay that makes a loopback registry look far away: a delay each way, a limited rate per connection.
import { createConnection, createServer, type Server, type Socket } from "node:net";
import { Transform } from "node:stream";

export interface SlowLink {
  /** Of the registry behind, on the loopback interface. */
  readonly targetPort: number;
  /** There and back, in milliseconds; also what opening a connection costs. */
  readonly latencyMs: number;
  /** Towards the client, for each connection; no limit when undefined. */
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
    // A broken relay shows at the client as a broken connection, which is what it would see.
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

/** Passes every chunk on after `delayMs`, in order, at no more than `bytesPerSecond`. */
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
    // As much as the link holds while it delays, so that the delay is not itself a limit of the rate.
    readableHighWaterMark: 1 << 20,
    writableHighWaterMark: 1 << 20,
    transform(chunk: Buffer, _encoding, done) {
      const now = performance.now();
      const sendMs = bytesPerSecond === undefined ? 0 : (chunk.length / bytesPerSecond) * 1000;
      freeAt = Math.max(now, freeAt) + sendMs;
      inFlight.push({ chunk, arriveAt: freeAt + delayMs });
      if (inFlight.length === 1) setTimeout(deliver, Math.max(1, freeAt + delayMs - now), this);
      // The sender may go on as soon as the link has taken the chunk, not when it has arrived.
      if (freeAt <= now) done();
      else setTimeout(done, freeAt - now);
    },
    flush(done) {
      if (inFlight.length === 0) done();
      else ended = done;
    },
  });
}
