// Requests to a service over HTTP: a time limit, retries where a repetition is safe, one kind of error.
import { BootcError } from "../../src/errors.ts";
import type { Clock } from "./clock.ts";

export interface HttpRequest {
  readonly method: string;
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Called anew for every try, because a stream can be read once. */
  readonly body?: () => string | Uint8Array<ArrayBuffer> | AsyncIterable<Uint8Array>;
  /**
   * The request may be sent again although it might have been carried out. One that may not is only
   * repeated after an answer or an error that proves that it was not.
   */
  readonly isRepeatable: boolean;
  /** Statuses that are answers here, although they usually ask for another try. */
  readonly acceptStatuses?: readonly number[];
  /** Milliseconds without any progress after which a try has failed. */
  readonly idleTimeoutMs?: number;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Uint8Array<ArrayBuffer>;
}

export interface HttpOptions {
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly note: (line: string) => void;
  readonly fetch?: typeof fetch;
}

/** A try that got no answer, and whether the server may have carried it out all the same. */
export interface NoAnswer {
  readonly reason: string;
  readonly wasNeverSent: boolean;
}

export const USER_AGENT = "bootc-xtask (https://github.com/bootc-ts/bootc)";

const TRIES = 5;
const FIRST_PAUSE_MS = 1000;
/** A server that asks for more patience than this is reported instead of waited for. */
const LONGEST_PAUSE_MS = 15 * 60_000;
const IDLE_TIMEOUT_MS = 60_000;
/** Larger answers are no JSON of ours and no log anybody reads. */
const ANSWER_BYTES_MAX = 256 << 20;
const NEVER_SENT = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
]);

/** The errors of servers that asked for more patience than `LONGEST_PAUSE_MS`. */
const refusals = new WeakSet<object>();

/** The errors of requests that never reached their server. */
const unsent = new WeakSet<object>();

/** Whether an error proves that the request changed nothing on the server. */
export function wasNotCarriedOut(error: unknown): boolean {
  return (
    asksForPatience(error) || (typeof error === "object" && error !== null && unsent.has(error))
  );
}

/** Whether a server asked to be left alone for long: then nobody above may try again either. */
export function asksForPatience(error: unknown): boolean {
  return typeof error === "object" && error !== null && refusals.has(error);
}

/** The answer of the last try; throws a `network` error when there is none. */
export async function request(what: HttpRequest, options: HttpOptions): Promise<HttpAnswer> {
  for (let tried = 1; ; tried += 1) {
    const outcome = await tryOnce(what, options);
    const again = decideRetry(what, outcome, { tried, clock: options.clock });
    if (again === undefined) {
      if ("status" in outcome) return outcome;
      throw unreachable(what, outcome);
    }
    if (again.pauseMs > LONGEST_PAUSE_MS) throw tooPatient(what, again.pauseMs);
    options.note(
      `${originOf(what.url)}: ${again.reason}; trying again in ${Math.ceil(again.pauseMs / 1000)} s`,
    );
    await options.clock.pause(again.pauseMs, options.signal);
  }
}

interface Retry {
  readonly pauseMs: number;
  readonly reason: string;
}

/** Whether and when to try again; `undefined` means that this outcome stands. */
export function decideRetry(
  what: Pick<HttpRequest, "isRepeatable" | "acceptStatuses">,
  outcome: HttpAnswer | NoAnswer,
  { tried, clock }: { readonly tried: number; readonly clock: Clock },
): Retry | undefined {
  if (tried >= TRIES) return undefined;
  const backOffMs = FIRST_PAUSE_MS * 2 ** (tried - 1) * (0.8 + 0.4 * clock.random());
  if (!("status" in outcome)) {
    if (!what.isRepeatable && !outcome.wasNeverSent) return undefined;
    return { pauseMs: backOffMs, reason: outcome.reason };
  }
  const { status } = outcome;
  if (what.acceptStatuses?.includes(status)) return undefined;
  // A refusal for the sake of the rate was not carried out, whatever the method.
  if (isRateLimit(outcome)) {
    return { pauseMs: askedPauseMs(outcome, clock) ?? 60_000, reason: "asks to slow down" };
  }
  if (status >= 500 && what.isRepeatable) {
    return { pauseMs: askedPauseMs(outcome, clock) ?? backOffMs, reason: `answered ${status}` };
  }
  return undefined;
}

/** 429 anywhere; 403 with GitHub's signs of its primary and secondary limits. */
export function isRateLimit({ status, headers, body }: HttpAnswer): boolean {
  if (status === 429) return true;
  if (status !== 403) return false;
  if (headers.has("retry-after") || headers.get("x-ratelimit-remaining") === "0") return true;
  return /secondary rate limit/i.test(decodeText(body));
}

/** What `Retry-After` (seconds or a date) or GitHub's `x-ratelimit-reset` (epoch seconds) ask for. */
function askedPauseMs({ headers }: HttpAnswer, clock: Clock): number | undefined {
  const after = headers.get("retry-after");
  if (after !== null && /^\d+$/.test(after.trim())) return Number(after) * 1000;
  const date = after === null ? Number.NaN : Date.parse(after);
  if (!Number.isNaN(date)) return Math.max(0, date - clock.now());
  const reset = headers.get("x-ratelimit-reset");
  if (reset !== null && headers.get("x-ratelimit-remaining") === "0") {
    return Math.max(0, Number(reset) * 1000 - clock.now());
  }
  return undefined;
}

async function tryOnce(what: HttpRequest, options: HttpOptions): Promise<HttpAnswer | NoAnswer> {
  options.signal.throwIfAborted();
  const idle = idleTimer(what.idleTimeoutMs ?? IDLE_TIMEOUT_MS);
  try {
    const response = await (options.fetch ?? fetch)(what.url, {
      method: what.method,
      headers: { "user-agent": USER_AGENT, ...what.headers },
      // A redirect of an API call is a wrong address, and must not take the credentials along.
      redirect: what.headers?.authorization === undefined ? "follow" : "manual",
      signal: AbortSignal.any([options.signal, idle.signal]),
      ...bodyOf(what, idle.touch),
    });
    const body = await readAll(response, idle.touch);
    return { status: response.status, headers: response.headers, body };
  } catch (error) {
    options.signal.throwIfAborted();
    if (error instanceof BootcError) throw error;
    if (idle.signal.aborted) return { reason: "no progress in time", wasNeverSent: false };
    return noAnswer(error);
  } finally {
    idle.stop();
  }
}

function bodyOf(what: HttpRequest, touch: () => void): object {
  const body = what.body?.();
  if (body === undefined) return {};
  if (typeof body === "string" || body instanceof Uint8Array) return { body };
  return { body: touching(body, touch), duplex: "half" };
}

async function* touching(chunks: AsyncIterable<Uint8Array>, touch: () => void) {
  for await (const chunk of chunks) {
    touch();
    yield chunk;
  }
}

async function readAll(response: Response, touch: () => void): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of response.body ?? []) {
    touch();
    sizeBytes += chunk.length;
    if (sizeBytes > ANSWER_BYTES_MAX) {
      throw new BootcError(`an answer of \`${originOf(response.url)}\` is larger than 256 MiB`);
    }
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks));
}

function idleTimer(milliseconds: number) {
  const abort = new AbortController();
  let timer = setTimeout(() => abort.abort(), milliseconds);
  return {
    signal: abort.signal,
    touch: () => {
      clearTimeout(timer);
      timer = setTimeout(() => abort.abort(), milliseconds);
    },
    stop: () => clearTimeout(timer),
  };
}

function noAnswer(error: unknown): NoAnswer {
  const causes: unknown[] = [];
  for (let it = error; it instanceof Error && !causes.includes(it); it = it.cause) causes.push(it);
  const root = causes.at(-1);
  const code =
    root instanceof Error && "code" in root && typeof root.code === "string" ? root.code : "";
  const reason = root instanceof Error ? root.message || code : String(root);
  return { reason: reason || "the request failed", wasNeverSent: NEVER_SENT.has(code) };
}

function unreachable(what: HttpRequest, { reason, wasNeverSent }: NoAnswer): BootcError {
  const error = new BootcError(`cannot reach \`${originOf(what.url)}\`: ${reason}`, {
    kind: "network",
    hint: "check the network and the address of the server, then run the same command again",
  });
  if (wasNeverSent) unsent.add(error);
  return error;
}

function tooPatient(what: HttpRequest, pauseMs: number): BootcError {
  const minutes = Math.ceil(pauseMs / 60_000);
  const error = new BootcError(
    `\`${originOf(what.url)}\` refuses more requests for ${minutes} minutes`,
    {
      kind: "network",
      hint: "run the same command again after that; it goes on where it stopped",
    },
  );
  refusals.add(error);
  return error;
}

export function decodeText(body: Uint8Array): string {
  return new TextDecoder().decode(body);
}

/** The server alone: what follows in an address may be a secret. */
function originOf(url: string): string {
  return URL.parse(url)?.origin ?? "an address that is no URL";
}
