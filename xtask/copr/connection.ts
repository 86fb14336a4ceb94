// Talks to a COPR server: API v3 over HTTP, basic authentication, errors as JSON or as a proxy's HTML.
import { BootcError } from "../../src/errors.ts";
import type { Context } from "../../src/system/context.ts";
import { type Clock, realClock } from "../remote/clock.ts";
import { decodeText, type HttpAnswer, request } from "../remote/http.ts";
import type { Tree } from "../task.ts";
import {
  type Credentials,
  DEFAULT_URL,
  describeExpiry,
  hasCredentials,
  readCredentials,
  redact,
} from "./credentials.ts";

export interface Connection {
  readonly url: string;
  /** Not needed for reading, because the server shows every project to everybody. */
  readonly credentials: Credentials | undefined;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly note: (line: string) => void;
}

export interface Call {
  readonly method: "GET" | "POST" | "PUT";
  /** The path below `/api_3`, such as `/build/12`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly json?: object;
  readonly body?: FormData;
  /** As in `HttpRequest`. */
  readonly isLarge?: boolean;
  /** Whether to repeat the call if it may have been carried out already. GET is always repeated. */
  readonly isRepeatable?: boolean;
  /** Statuses of errors that count as answers to this call. */
  readonly acceptStatuses?: readonly number[];
  /** The subject of the call for error messages, such as `build 12`. */
  readonly subject: string;
}

export interface Answer {
  readonly status: number;
  readonly json: unknown;
}

export interface ConnectOptions {
  /** A token file to use instead of the usual one. */
  readonly config?: string | undefined;
  /** The server in copr/project.json; by default, the one in the token file. */
  readonly server?: string | undefined;
  /** False for reading, which still uses a token if there is one. */
  readonly needsToken: boolean;
  readonly clock?: Clock;
}

/** Connects to the server in the token file, which has to be the one in copr/project.json. */
export async function connect(
  { ctx }: Tree,
  { clock = realClock, ...options }: ConnectOptions,
): Promise<Connection> {
  const credentials = await (options.needsToken
    ? readCredentialsFor(ctx, options)
    : readCredentialsIfAny(ctx, options));
  const expiry = credentials && describeExpiry(credentials, clock.now());
  if (expiry !== undefined) ctx.note(`warning: ${expiry}`);
  const url = credentials?.url ?? withoutSlash(options.server ?? DEFAULT_URL);
  return { url, credentials, clock, signal: ctx.signal, note: ctx.note };
}

async function readCredentialsFor(
  ctx: Context,
  { config, server }: ConnectOptions,
): Promise<Credentials> {
  const credentials = await readCredentials(ctx, config);
  if (server === undefined || withoutSlash(server) === credentials.url) return credentials;
  throw new BootcError(`the token file is for \`${credentials.url}\`, not for \`${server}\``, {
    kind: "authentication",
    hint: "log in on that server and save what its /api page shows, or name another file with --config",
  });
}

/** The token, if there is a usable one. An unusable one is an error only if it has to name the server. */
async function readCredentialsIfAny(
  ctx: Context,
  options: ConnectOptions,
): Promise<Credentials | undefined> {
  if (options.config === undefined && !(await hasCredentials(ctx))) return undefined;
  try {
    return await readCredentialsFor(ctx, options);
  } catch (error) {
    const isNeeded = options.config !== undefined || options.server === undefined;
    if (isNeeded || !(error instanceof BootcError)) throw error;
    ctx.note(`warning: ${error.message}; reading without a token`);
    return undefined;
  }
}

const withoutSlash = (url: string): string => url.replace(/\/+$/, "");

/** Makes a call and parses the JSON of its answer. Fails unless the status means success or is accepted. */
export async function call(connection: Connection, what: Call): Promise<Answer> {
  const { clock, note, signal } = connection;
  const answer = await request(
    {
      method: what.method,
      url: urlOf(connection, what),
      isRepeatable: what.method === "GET" || what.isRepeatable === true,
      headers: headersOf(connection, what),
      isLarge: what.isLarge === true,
      acceptStatuses: what.acceptStatuses ?? [],
      ...bodyOf(what),
    },
    { clock, note, signal },
  );
  const isAccepted = what.acceptStatuses?.includes(answer.status) === true;
  if (!isAccepted && (answer.status < 200 || answer.status > 299)) {
    throw statusError(connection, what, answer);
  }
  return { status: answer.status, json: parseAnswer(connection, what, { answer, isAccepted }) };
}

function urlOf({ url }: Connection, what: Call): string {
  const result = new URL(`${url}/api_3${what.path}`);
  for (const [key, value] of Object.entries(what.query ?? {})) {
    if (value !== undefined) result.searchParams.set(key, String(value));
  }
  return result.href;
}

function headersOf({ credentials }: Connection, what: Call) {
  return {
    accept: "application/json",
    ...(credentials === undefined ? {} : { authorization: formatBasic(credentials) }),
    ...(what.json === undefined ? {} : { "content-type": "application/json" }),
  };
}

function formatBasic({ login, token }: Credentials): string {
  return `Basic ${Buffer.from(`${login}:${token}`).toString("base64")}`;
}

function bodyOf({ body, json }: Call) {
  if (body !== undefined) return { body };
  return json === undefined ? {} : { body: JSON.stringify(json) };
}

function parseAnswer(
  connection: Connection,
  what: Call,
  { answer, isAccepted }: { readonly answer: HttpAnswer; readonly isAccepted: boolean },
): unknown {
  try {
    return JSON.parse(decodeText(answer.body)) as unknown;
  } catch (cause) {
    if (isAccepted) return undefined;
    // The text itself is not shown: an answer that was cut short may contain a secret.
    const title = redact(titleOf(decodeText(answer.body)) ?? "", connection.credentials);
    const shown = title === "" ? undefined : new BootcError(title);
    throw new BootcError(`\`${connection.url}\` did not answer with JSON about ${what.subject}`, {
      kind: "network",
      cause: cause instanceof SyntaxError ? shown : cause,
      hint: "is `copr_url` in the token file the address of a COPR server?",
    });
  }
}

const HINT_404 =
  "create the project and the package with: npm run xtask -- copr apply; " +
  "list the builds with: npm run xtask -- copr status";

/** The error for a status other than success, with what the server said and a hint. */
function statusError(connection: Connection, what: Call, answer: HttpAnswer): BootcError {
  const { status, headers } = answer;
  const said = redact(describeText(answer), connection.credentials);
  const explain = (problem: string) =>
    `${what.subject}: ${problem}${said === "" ? "" : `: ${said}`}`;
  if (status >= 300 && status < 400) {
    return new BootcError(`\`${connection.url}\` moved to \`${headers.get("location")}\``, {
      kind: "network",
      hint: "set `copr_url` in the token file to the new address",
    });
  }
  if (status === 401) {
    return new BootcError(explain("the server refuses the token"), {
      kind: "authentication",
      hint: hintForToken(connection),
    });
  }
  if (status === 403) {
    return new BootcError(explain("the server does not allow this user to do that"), {
      kind: "authentication",
      hint: "ask an administrator of the project for permission, or log in as its owner",
    });
  }
  if (status === 429 || status >= 500) {
    return new BootcError(explain(`the server answered ${status}`), {
      kind: "network",
      hint: "the server has problems; run the same command again later",
    });
  }
  if (status === 404)
    return new BootcError(explain("the server does not know it"), { hint: HINT_404 });
  return new BootcError(explain(status === 409 ? "not possible now" : `refused (${status})`));
}

function hintForToken({ credentials, clock, url }: Connection): string {
  return (
    (credentials && describeExpiry(credentials, clock.now())) ??
    `a token works for 180 days; get a new one at ${url}/api/`
  );
}

/** What the server said, on one line: its `error` field, or the title of a proxy's HTML page. */
function describeText({ body }: HttpAnswer): string {
  const text = decodeText(body.subarray(0, 65_536)).trim();
  const json = tryJson(text);
  if (isRecord(json) && typeof json.error === "string") return oneLine(json.error);
  if (isRecord(json) && typeof json.message === "string") return oneLine(json.message);
  return oneLine(titleOf(text) ?? text).slice(0, 200);
}

function titleOf(html: string): string | undefined {
  const title = /<title>([^<]*)<\/title>/i.exec(html)?.[1];
  return title === undefined ? undefined : oneLine(title).slice(0, 200);
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // It is not JSON, so the caller shows the text itself.
    return undefined;
  }
}

function oneLine(text: string): string {
  return text
    .trim()
    .split(/\s*\n\s*/)
    .join("; ")
    .replace(/\s+/g, " ");
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
