// Makes HTTP requests by ky: decides which may be repeated and when, and turns failures into one error.
import ky, { isHTTPError, isTimeoutError } from "ky";
import { BootcError, type BootcErrorOptions } from "../../src/errors.ts";
import type { Clock } from "./clock.ts";

export interface HttpRequest {
  readonly method: string;
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | FormData;
  /**
   * Whether the request may be sent again even if it may have been carried out. Otherwise, it is repeated
   * only after an answer or an error that proves that it was not.
   */
  readonly isRepeatable: boolean;
  /** Statuses that count as answers here, although they usually cause another try. */
  readonly acceptStatuses?: readonly number[];
  /** Transfers a file: a try may take any time, but Node ends it after five minutes of silence. */
  readonly isLarge?: boolean;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Uint8Array<ArrayBuffer>;
}

type FetchInput = Parameters<typeof fetch>[0];

export interface HttpOptions {
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly note: (line: string) => void;
  readonly fetch?: typeof fetch;
}

interface RequestErrorOptions extends BootcErrorOptions {
  readonly wasNotCarriedOut?: boolean;
  readonly asksForPatience?: boolean;
}

/** A failed request, with what its sender may do next. */
export class RequestError extends BootcError {
  /** It is certain that the request changed nothing on the server. */
  readonly wasNotCarriedOut: boolean;
  /** The server asked for a long pause, so callers must not try again either. */
  readonly asksForPatience: boolean;

  constructor(message: string, options: RequestErrorOptions) {
    super(message, { kind: "network", ...options });
    this.asksForPatience = options.asksForPatience === true;
    this.wasNotCarriedOut = this.asksForPatience || options.wasNotCarriedOut === true;
  }
}

export function asksForPatience(error: unknown): boolean {
  return error instanceof RequestError && error.asksForPatience;
}

export const USER_AGENT = "bootc-xtask (https://github.com/bootc-ts/bootc)";

const RETRIES = 4;
const METHODS = ["get", "post", "put", "delete"];
const FIRST_PAUSE_MS = 1000;
const RATE_PAUSE_MS = 60_000;
/** The time limit for an answer, unless it is large. */
export const TIMEOUT_MS = 60_000;
/** If a server asks for a longer pause than this, we fail instead of waiting. */
export const LONGEST_PAUSE_MS = 15 * 60_000;
/** No JSON that we expect, and no log that anybody reads, is larger. */
const ANSWER_BYTES_MAX = 256 << 20;
const NEVER_SENT = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
]);

/** The answer to the last try. Throws a `RequestError` if there is none. */
export async function request(what: HttpRequest, options: HttpOptions): Promise<HttpAnswer> {
  let answer: HttpAnswer | undefined;
  const send = async (input: FetchInput): Promise<Response> => {
    answer = undefined;
    answer = await fetchWhole(what, input, options.fetch ?? fetch);
    // ky judges only by status and headers. We have read the body already.
    return new Response(null, answer);
  };
  try {
    await ky(what.url, {
      method: what.method,
      headers: { "user-agent": USER_AGENT, ...what.headers },
      // A redirected API call means a wrong address, which must not get the credentials.
      redirect: what.headers?.authorization === undefined ? "follow" : "manual",
      signal: options.signal,
      timeout: what.isLarge === true ? false : TIMEOUT_MS,
      fetch: send,
      throwHttpErrors: (status) => isTrouble(status) && !what.acceptStatuses?.includes(status),
      retry: {
        limit: RETRIES,
        methods: METHODS,
        // ky's own pauses use the real clock and have no limit, so `shouldRetry` makes ours.
        delay: () => 0,
        shouldRetry: ({ error, retryCount }) => waitToRetry(what, options, { error, retryCount }),
      },
    });
  } catch (error) {
    options.signal.throwIfAborted();
    if (!isHTTPError(error))
      throw error instanceof BootcError ? error : unreachable(what.url, error);
  }
  if (answer === undefined) throw new Error("unreachable: ky gave an answer that nobody sent");
  return answer;
}

const isTrouble = (status: number): boolean => status === 429 || status >= 500;

interface Failed {
  readonly error: unknown;
  /** 1 for the first repetition. */
  readonly retryCount: number;
}

/** Waits until it is time to try again; returns false if there is no other try. */
async function waitToRetry(
  what: HttpRequest,
  { clock, note, signal }: HttpOptions,
  failed: Failed,
): Promise<boolean> {
  signal.throwIfAborted();
  const again = decideRetry(what, failed, clock);
  if (again === undefined) return false;
  const { pauseMs, reason } = again;
  if (pauseMs > LONGEST_PAUSE_MS) throw tooPatient(what.url, pauseMs);
  note(`${originOf(what.url)}: ${reason}; trying again in ${Math.ceil(pauseMs / 1000)} s`);
  await clock.pause(pauseMs, signal);
  return true;
}

interface Retry {
  readonly pauseMs: number;
  readonly reason: string;
}

function decideRetry(
  { isRepeatable }: HttpRequest,
  { error, retryCount }: Failed,
  clock: Clock,
): Retry | undefined {
  if (error instanceof BootcError) return undefined;
  const backOffMs = FIRST_PAUSE_MS * 2 ** (retryCount - 1) * (0.8 + 0.4 * clock.random());
  if (!isHTTPError(error)) {
    if (!isRepeatable && !wasNeverSent(error)) return undefined;
    return { pauseMs: backOffMs, reason: reasonOf(error) };
  }
  const { status, headers } = error.response;
  const askedMs = askedPauseMs(headers, clock);
  // A request over the rate limit was not carried out, whatever its method.
  if (status === 429) return { pauseMs: askedMs ?? RATE_PAUSE_MS, reason: "asks to slow down" };
  if (!isRepeatable) return undefined;
  return { pauseMs: askedMs ?? backOffMs, reason: `answered ${status}` };
}

/** The pause that `Retry-After` asks for, in seconds or by a date. */
function askedPauseMs(headers: Headers, clock: Clock): number | undefined {
  const after = headers.get("retry-after")?.trim() ?? "";
  if (/^\d+$/.test(after)) return Number(after) * 1000;
  const date = Date.parse(after);
  return Number.isNaN(date) ? undefined : Math.max(0, date - clock.now());
}

/** Makes one try. The body bypasses ky, which would keep a copy in memory for the next try. */
async function fetchWhole(
  { body }: HttpRequest,
  input: FetchInput,
  fetcher: typeof fetch,
): Promise<HttpAnswer> {
  const response = await fetcher(input, body === undefined ? {} : { body });
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of response.body ?? []) {
    sizeBytes += chunk.length;
    if (sizeBytes > ANSWER_BYTES_MAX) {
      throw new BootcError(`an answer of \`${originOf(response.url)}\` is larger than 256 MiB`);
    }
    chunks.push(chunk);
  }
  const { status, headers } = response;
  return { status, headers, body: new Uint8Array(Buffer.concat(chunks)) };
}

/** Whether an error proves that no server has seen the request. */
export function wasNeverSent(error: unknown): boolean {
  const root = rootOf(error);
  return root instanceof Error && "code" in root && NEVER_SENT.has(String(root.code));
}

function reasonOf(error: unknown): string {
  if (isTimeoutError(error)) return "no answer in time";
  const root = rootOf(error);
  if (!(root instanceof Error)) return String(root);
  // An error about several addresses has only a code.
  return root.message || ("code" in root ? String(root.code) : "the request failed");
}

function rootOf(error: unknown): unknown {
  let root = error;
  while (root instanceof Error && root.cause !== undefined) root = root.cause;
  return root;
}

export function unreachable(url: string, error: unknown): RequestError {
  return new RequestError(`cannot reach \`${originOf(url)}\`: ${reasonOf(error)}`, {
    wasNotCarriedOut: wasNeverSent(error),
    hint: "check the network and the address of the server, then run the same command again",
  });
}

export function tooPatient(url: string, pauseMs: number): RequestError {
  const minutes = Math.ceil(pauseMs / 60_000);
  return new RequestError(`\`${originOf(url)}\` refuses more requests for ${minutes} minutes`, {
    asksForPatience: true,
    hint: "run the same command again after that; it continues where it stopped",
  });
}

export function decodeText(body: Uint8Array): string {
  return new TextDecoder().decode(body);
}

/** Only the server, because the rest of an address may contain a secret. */
function originOf(url: string): string {
  return URL.parse(url)?.origin ?? "an address that is not a URL";
}
