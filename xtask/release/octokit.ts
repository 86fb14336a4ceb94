// Octokit with patience: which requests to GitHub are tried again, after which pause, and what never is.
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

/** The groups of requests between which the throttling plugin leaves time. */
export type Pace = Pick<ThrottlingOptions, "write" | "notifications">;

/** The list of the plugin, and 429, which is left to the other plugin. */
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
    // A redirect of an API call is a wrong address, and must not take the token along.
    request: { fetch: timedFetch(http), redirect: "manual" },
    retry: { retryAfterBaseValue: 0, doNotRetry: NOT_RETRIED },
    throttle: { ...pace, ...limitHandlers(http), retryAfterBaseValue: 0 },
    // It would print to standard output what we report as errors.
    log: { debug: () => {}, info: () => {}, warn: http.note, error: () => {} },
  });
}

type Core = Parameters<typeof retry>[0];

/**
 * A plugin below the others, which decide what is tried again. Their own pauses would outlast an
 * interruption, and a test; so they are set to nothing, and made here before the next try.
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
      // Whatever the plugins think: it may have been carried out.
      if (method === "POST" && !wasNeverSent(error)) request.retries = 0;
      else planPause(request, error);
      throw error;
    });
  };
}

/** The pause before the next try, should the retry plugin make one. A limit is not its concern. */
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

/** The throttling plugin knows a secondary limit by its words, which not every answer has. */
function nameLimit(error: Error): void {
  if (!isLimit(error)) return;
  const { headers = {} } = error.response ?? {};
  if (error.status !== 429 && headers["retry-after"] === undefined) return;
  if (headers["x-ratelimit-remaining"] === "0" || SECONDARY.test(error.message)) return;
  error.message = `secondary rate limit: ${error.message}`;
}

/** Above the other plugins, which keep counts in an object that Octokit gives to all requests alike. */
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

/** What is kept with a request from one try to the next. */
interface Pending {
  readonly failures?: number;
  readonly pause?: { readonly milliseconds: number; readonly reason: string };
  /** The pause that GitHub asked for, when it was too long. */
  readonly refusedMs?: number;
}

/** Waits as long as the throttling plugin says; whether it may try again. */
function limitHandlers({ clock, note, signal }: HttpOptions) {
  const wait: ThrottlingOptions["onRateLimit"] = async (seconds, { request }, _, retryCount) => {
    const pauseMs = seconds * 1000;
    if (pauseMs > LONGEST_PAUSE_MS) request.refusedMs = pauseMs;
    if (pauseMs > LONGEST_PAUSE_MS || retryCount >= LIMIT_RETRIES) return false;
    note(`GitHub: asks to slow down; trying again in ${seconds} s`);
    try {
      await clock.pause(pauseMs, signal);
    } catch (error) {
      // The next try ends with the interruption; from here an error would only be printed.
      if (!signal.aborted) throw error;
    }
    return true;
  };
  return { onRateLimit: wait, onSecondaryRateLimit: wait };
}

/** An upload may take any time; everything else is answered soon, or is lost. */
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
