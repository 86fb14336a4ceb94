// Configures which requests to GitHub Octokit repeats, and after which pause.
import { retry } from "@octokit/plugin-retry";
import { type ThrottlingOptions, throttling } from "@octokit/plugin-throttling";
import { Octokit } from "@octokit/rest";
import {
  type HttpOptions,
  LONGEST_PAUSE_MS,
  TIMEOUT_MS,
  tooPatient,
  USER_AGENT,
  wasNeverSent,
} from "../remote/http.ts";

/** The groups of requests for which the throttling plugin makes pauses. */
export type Pace = Pick<ThrottlingOptions, "write" | "notifications">;

/** The retry plugin's own list, and 429, which the throttling plugin handles. */
const NOT_RETRIED = [400, 401, 403, 404, 410, 422, 429, 451];
const LIMIT_RETRIES = 4;
const SECONDARY = /\bsecondary rate\b/i;
const FIRST_PAUSE_MS = 1000;

interface OctokitOptions {
  readonly token: string;
  readonly baseUrl: string;
  readonly pace: Pace;
}

export function createOctokit(
  http: HttpOptions,
  { token, baseUrl, pace }: OctokitOptions,
): Octokit {
  return new (Octokit.plugin(politeness(http), retry, throttling, countAnew))({
    auth: token,
    baseUrl,
    userAgent: USER_AGENT,
    // A redirected API call means a wrong address, which must not get the token.
    request: { fetch: timedFetch(http), redirect: "manual" },
    retry: { retryAfterBaseValue: 0, doNotRetry: NOT_RETRIED },
    throttle: { ...pace, ...limitHandlers(http), retryAfterBaseValue: 0 },
    // Octokit would print to standard output what we report as errors.
    log: { debug: () => {}, info: () => {}, warn: http.note, error: () => {} },
  });
}

type Core = Parameters<typeof retry>[0];

/**
 * A plugin below the others, which decide what is repeated. Their own pauses cannot be interrupted, and tests
 * would have to wait for them, so they are 0, and this plugin pauses before the next try.
 */
function politeness({ clock, note, signal }: HttpOptions) {
  return ({ hook }: Core): void => {
    hook.before("request", async ({ request }) => {
      const { pause } = request as Pending;
      delete request.pause;
      signal.throwIfAborted();
      if (pause === undefined) return;
      note(`GitHub: ${pause.reason}; trying again in ${pause.milliseconds / 1000} s`);
      await clock.pause(pause.milliseconds, signal);
    });
    hook.error("request", (error, { method, request }) => {
      signal.throwIfAborted();
      nameLimit(error);
      // Whatever the plugins decide, the request may have been carried out.
      if (method === "POST" && !wasNeverSent(error)) request.retries = 0;
      else planPause(request, error);
      throw error;
    });
  };
}

/** Plans the pause before the next try of the retry plugin, which does not handle rate limits. */
function planPause(request: Record<string, unknown>, error: Error): void {
  if (isLimit(error)) return;
  const { failures = 0 } = request as Pending;
  const askedMs = isFailure(error) ? Number(error.response?.headers["retry-after"]) * 1000 : 0;
  const milliseconds = askedMs > 0 ? askedMs : FIRST_PAUSE_MS * (failures + 1) ** 2;
  const isTooLong = milliseconds > LONGEST_PAUSE_MS;
  const planned = { failures: failures + 1, pause: { milliseconds, reason: error.message } };
  Object.assign(request, isTooLong ? { retries: 0, refusedMs: milliseconds } : planned);
}

function isLimit(error: Error): error is Error & Failure {
  return isFailure(error) && (error.status === 403 || error.status === 429);
}

/** The throttling plugin recognises a secondary limit by words that not every answer contains. */
function nameLimit(error: Error): void {
  if (!isLimit(error)) return;
  const { headers = {} } = error.response ?? {};
  if (error.status !== 429 && headers["retry-after"] === undefined) return;
  if (headers["x-ratelimit-remaining"] === "0" || SECONDARY.test(error.message)) return;
  error.message = `secondary rate limit: ${error.message}`;
}

/** A plugin above the others, which count in an object that Octokit would share between all requests. */
function countAnew({ hook }: Core): void {
  hook.wrap("request", async (send, options) => {
    options.request = { ...options.request };
    try {
      return await send(options);
    } catch (error) {
      const { refusedMs } = options.request as Pending;
      if (refusedMs === undefined || !isFailure(error)) throw error;
      throw tooPatient(error.request.url, refusedMs);
    }
  });
}

/** Data that stays with a request from one try to the next. */
interface Pending {
  readonly failures?: number;
  readonly pause?: { readonly milliseconds: number; readonly reason: string };
  /** The pause that GitHub asked for, if it was too long. */
  readonly refusedMs?: number;
}

/** Waits as long as the throttling plugin says, and returns whether it may try again. */
function limitHandlers({ clock, note, signal }: HttpOptions) {
  const wait: ThrottlingOptions["onRateLimit"] = async (seconds, { request }, _, retryCount) => {
    const pauseMs = seconds * 1000;
    if (pauseMs > LONGEST_PAUSE_MS) request.refusedMs = pauseMs;
    if (pauseMs > LONGEST_PAUSE_MS || retryCount >= LIMIT_RETRIES) return false;
    note(`GitHub: asks to slow down; trying again in ${seconds} s`);
    try {
      await clock.pause(pauseMs, signal);
    } catch (error) {
      // The next try ends because of the interruption; an error from here would only be printed.
      if (!signal.aborted) throw error;
    }
    return true;
  };
  return { onRateLimit: wait, onSecondaryRateLimit: wait };
}

/** An upload may take any time; any other request without an early answer counts as lost. */
function timedFetch({ fetch: fetcher = fetch, signal }: HttpOptions): typeof fetch {
  return (input, init = {}) => {
    const limits = init.body instanceof Blob ? [] : [AbortSignal.timeout(TIMEOUT_MS)];
    return fetcher(input, { ...init, signal: AbortSignal.any([signal, ...limits]) });
  };
}

export interface Failure {
  readonly status: number;
  readonly request: { readonly url: string };
  readonly response?: { readonly data?: unknown; readonly headers: Record<string, string> };
}

export function isFailure(error: unknown): error is Error & Failure {
  return error instanceof Error && "status" in error && "request" in error;
}
