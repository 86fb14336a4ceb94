// skopeo's image proxy: one process, and so one connection, that answers several questions about an image.
//
// Protocol: `skopeo experimental-image-proxy`, versions 0.2.3 (skopeo 1.9) to 0.2.8 (skopeo 1.22).
import { closeSync, createWriteStream } from "node:fs";
import { Socket } from "node:net";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { BootcError, errnoOf } from "../../errors.ts";
import { malformed, parseJsonObject, requireString } from "../../format/json.ts";
import { formatSkopeoName } from "../../image/reference.ts";
import {
  openPacketPair,
  type Packet,
  type PacketPair,
  type PacketSocket,
} from "../../native/packets.ts";
import type { Context } from "../../system/context.ts";
import {
  asTransient,
  doesNotAnswer,
  explainReason,
  explainSkopeo,
  registryArgs,
  type SkopeoLimits,
  type SkopeoSource,
} from "./skopeo.ts";

export interface ProxyBlob {
  readonly digest: string;
  readonly sizeBytes: number;
}

/** An image that a proxy holds open. It does not keep our process from ending, and ends with it. */
export interface OpenedImage {
  /** Of the manifest for this machine, an index resolved, as it is served. */
  readonly manifestDigest: string;
  /** That manifest in the form of OCI, so its own digest may be another one. */
  readManifest(): Promise<string>;
  /** A small blob. skopeo verifies its digest. */
  read(blob: ProxyBlob): Promise<Buffer>;
  /** Writes a blob to the new file `path`. skopeo verifies its digest; the file is there before that. */
  download(blob: ProxyBlob, path: string, signal: AbortSignal): Promise<void>;
  /** Ends the proxy. What it is doing fails. */
  close(): void;
}

export interface ProxyOptions extends SkopeoLimits {
  /** Evaluate the source's policy, as far as this skopeo does that here; else accept everything. */
  readonly hasPolicy: boolean;
}

/**
 * Opens an image in a proxy of its own. Undefined when no proxy can be started here; other failures are
 * explained as those of `skopeo inspect` are.
 */
export async function openImage(
  ctx: Context,
  source: SkopeoSource,
  options: ProxyOptions,
): Promise<OpenedImage | undefined> {
  const pair = openPacketPair();
  if (pair === undefined) return undefined;
  const proxy = startProxy(ctx, pair, { source, ...options });
  try {
    const begun = begin(ctx, proxy);
    // Asked along with it: skopeo connects while our only thread reads the repository.
    const opening = openIn(proxy, source);
    opening.catch(() => undefined); // awaited below if skopeo begins at all
    if (!(await begun)) return undefined;
    return await opening;
  } catch (error) {
    proxy.close();
    throw error;
  }
}

/** An answer: its value, and the pipe that brings data, if there is one. */
interface Answer {
  readonly value: unknown;
  readonly pipeId: number;
  readonly descriptor: number | undefined;
}

interface Proxy {
  /**
   * Asks at once; skopeo answers in the order of the questions. Unless `isLong`, there is a time limit, which
   * begins when all questions before have been answered.
   */
  ask(method: string, args: readonly unknown[], isLong?: boolean): Promise<Answer>;
  close(): void;
}

/** setTimeout takes no more; it keeps our process from ending meanwhile. */
const LONG_MS = 2 ** 31 - 1;

function startProxy(
  ctx: Context,
  { ours, theirs }: PacketPair,
  { source, hasPolicy, timeoutMs }: ProxyOptions & { readonly source: SkopeoSource },
): Proxy {
  const ending = new AbortController();
  const state = { isTheirsOpen: true, isTimeout: false, last: Promise.resolve<unknown>(undefined) };
  const closeTheirs = () => {
    if (state.isTheirsOpen) closeSync(theirs);
    state.isTheirsOpen = false;
  };
  const how = { hasPolicy, theirs, signal: ending.signal };
  // The end of the program is seen once nobody else has its end of the pair open.
  const ended = runProxy(ctx, source, how).finally(closeTheirs);
  const close = () => {
    ours.close();
    ending.abort();
  };
  const receive = async (isSent: boolean): Promise<Packet> => {
    const packet = isSent ? await ours.receive() : undefined;
    closeTheirs();
    if (packet !== undefined) return packet;
    ctx.signal.throwIfAborted();
    throw state.isTimeout ? doesNotAnswer(source.image) : explainEnd(await ended, source);
  };
  const answerTo = async (isSent: boolean, limitMs: number) => {
    const timer = setTimeout(() => {
      state.isTimeout = true;
      close();
    }, limitMs);
    try {
      return readAnswer(await receive(isSent), source);
    } finally {
      clearTimeout(timer);
    }
  };
  return {
    async ask(method, args, isLong = false) {
      const isSent = trySend(ours, JSON.stringify({ method, args }));
      const answer = state.last.then(() => answerTo(isSent, isLong ? LONG_MS : timeoutMs));
      state.last = answer.catch(() => undefined);
      return await answer;
    },
    close,
  };
}

interface ProxyRun {
  readonly hasPolicy: boolean;
  readonly theirs: number;
  readonly signal: AbortSignal;
}

/** Runs the program to its end; gives the error that ended it, if there was one. */
async function runProxy(ctx: Context, source: SkopeoSource, run: ProxyRun): Promise<unknown> {
  const policy = run.hasPolicy ? `--policy=${source.policyFile}` : "--insecure-policy";
  const args = ["experimental-image-proxy", "--sockfd=3", ...registryArgs(source.access, "")];
  try {
    await ctx.read("skopeo", [policy, ...args], {
      descriptors: [run.theirs],
      signal: run.signal,
      endsWithUs: true,
      isBackground: true,
    });
    return undefined;
  } catch (error) {
    return error;
  }
}

function explainEnd(error: unknown, { image }: SkopeoSource): unknown {
  return error === undefined
    ? asTransient(new BootcError("skopeo's image proxy ended early", { kind: "network" }))
    : explainSkopeo(error, image);
}

/** False when the other end is closed. */
function trySend(socket: PacketSocket, text: string): boolean {
  try {
    socket.send(text);
    return true;
  } catch (error) {
    if (errnoOf(error) === "EPIPE" || errnoOf(error) === "EBADF") return false;
    throw error;
  }
}

const ANSWER = "the answer of skopeo's image proxy";

function readAnswer({ text, descriptors }: Packet, { image }: SkopeoSource): Answer {
  const [descriptor, ...others] = descriptors;
  try {
    for (const it of others) closeSync(it);
    const { success, value, pipeid, error } = parseJsonObject(ANSWER, text);
    if (success !== true) throw explainReason(requireString(error, ANSWER, "error"), image);
    return { value, pipeId: typeof pipeid === "number" ? pipeid : 0, descriptor };
  } catch (error) {
    if (descriptor !== undefined) closeSync(descriptor);
    throw error;
  }
}

/** Whether the program answers at all; whatever keeps it from that, `skopeo inspect` says it better. */
async function begin(ctx: Context, proxy: Proxy): Promise<boolean> {
  try {
    await proxy.ask("Initialize", []);
    return true;
  } catch {
    ctx.signal.throwIfAborted();
    proxy.close();
    return false;
  }
}

/** What skopeo calls the first image of a proxy. It counts them, but does not promise to. */
const FIRST_IMAGE = 1;

async function openIn(proxy: Proxy, { image }: SkopeoSource): Promise<OpenedImage> {
  const opening = proxy.ask("OpenImage", [formatSkopeoName(image)]);
  // Asked along with it, which saves a round trip.
  const early = proxy.ask("GetManifest", [FIRST_IMAGE]);
  early.catch(() => undefined); // the failure to open the image is the one to report
  const { value: id } = await opening;
  if (id !== FIRST_IMAGE) void early.then(dropPipe, () => undefined);
  const answer = await (id === FIRST_IMAGE ? early : proxy.ask("GetManifest", [id]));
  const manifestPipe = requirePipe(answer);
  let manifest: Promise<Buffer> | undefined;
  let isClosed = false;
  const close = () => {
    if (manifest === undefined && !isClosed) closeSync(manifestPipe);
    isClosed = true;
    proxy.close();
  };
  const getBlob = ({ digest, sizeBytes }: ProxyBlob) =>
    proxy.ask("GetBlob", [id, digest, sizeBytes]);
  return {
    manifestDigest: requireString(answer.value, ANSWER, "value"),
    async readManifest() {
      if (isClosed) throw new Error("the image is closed");
      manifest ??= readPipe(proxy, answer);
      return (await manifest).toString("utf8");
    },
    read: async (blob) => await readPipe(proxy, await getBlob(blob)),
    async download(blob, path, signal) {
      const end = () => proxy.close();
      signal.addEventListener("abort", end, { once: true });
      try {
        const { pipeId, pipe } = openPipe(await getBlob(blob));
        const target = createWriteStream(path, { flags: "wx", mode: 0o600 });
        const written = pipeline(pipe, target, { signal });
        await together(written, proxy.ask("FinishPipe", [pipeId], true));
      } finally {
        signal.removeEventListener("abort", end);
      }
    },
    close,
  };
}

async function readPipe(proxy: Proxy, answer: Answer): Promise<Buffer> {
  const { pipeId, pipe } = openPipe(answer);
  return await together(buffer(pipe), proxy.ask("FinishPipe", [pipeId]));
}

/**
 * skopeo ends the pipe when it is asked to finish it, and answers that with the outcome. So both go on at the
 * same time; skopeo's own error is the one to report.
 */
async function together<T>(reading: Promise<T>, finishing: Promise<unknown>): Promise<T> {
  const [read, finished] = await Promise.allSettled([reading, finishing]);
  if (finished.status === "rejected") throw finished.reason;
  if (read.status === "rejected") throw read.reason;
  return read.value;
}

function openPipe(answer: Answer) {
  const fd = requirePipe(answer);
  return { pipeId: answer.pipeId, pipe: new Socket({ fd, readable: true, writable: false }) };
}

function dropPipe({ descriptor }: Answer): void {
  if (descriptor !== undefined) closeSync(descriptor);
}

function requirePipe({ descriptor }: Answer): number {
  if (descriptor === undefined) throw malformed(ANSWER, "it brings no pipe");
  return descriptor;
}
