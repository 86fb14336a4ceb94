// GitHub's REST API: where it is, who we are, patience with its rate limits, and its errors as ours.
import { Octokit } from "@octokit/rest";
import { BootcError } from "../../src/errors.ts";
import { readPackageJson } from "../checkout/package-json.ts";
import { type Clock, realClock } from "../remote/clock.ts";
import {
  decodeText,
  type HttpAnswer,
  type HttpOptions,
  type HttpRequest,
  isRateLimit,
  request,
} from "../remote/http.ts";
import type { Tree } from "../task.ts";

export interface Repository {
  readonly owner: string;
  readonly repo: string;
}

export interface GitHub extends HttpOptions {
  readonly octokit: Octokit;
  readonly repository: Repository;
  readonly authorization: string;
  /** Fails unless the token may set webhooks, before anything is changed. */
  requireHooks(): Promise<void>;
}

/** `owner/repo` of GITHUB_REPOSITORY, as in a workflow, or of package.json. */
export async function readRepository({ ctx, top }: Tree): Promise<Repository> {
  const text = ctx.env.GITHUB_REPOSITORY ?? (await readPackageJson(top)).repository?.url ?? "";
  const [, owner, repo] = /^(?:.*github\.com\/)?([^/]+)\/([^/]+?)(?:\.git)?$/.exec(text) ?? [];
  if (owner !== undefined && repo !== undefined) return { owner, repo };
  throw new BootcError(`\`${text}\` is no repository on GitHub`, {
    hint: "set `repository.url` in package.json",
  });
}

/** The token comes from GITHUB_TOKEN or GH_TOKEN, the address from GITHUB_API_URL. */
export async function connectGitHub(
  { ctx }: Tree,
  repository: Repository,
  clock: Clock = realClock,
): Promise<GitHub> {
  const token = ctx.env.GITHUB_TOKEN || ctx.env.GH_TOKEN;
  if (!token) {
    throw new BootcError("there is no token for GitHub", {
      kind: "authentication",
      hint: "set GITHUB_TOKEN, for instance to what `gh auth token` prints",
    });
  }
  const http = { signal: ctx.signal, clock, note: ctx.note };
  const octokit = new Octokit({
    auth: token,
    baseUrl: ctx.env.GITHUB_API_URL || "https://api.github.com",
    userAgent: "bootc-xtask (https://github.com/bootc-ts/bootc)",
    request: { fetch: patientFetch(http) },
    // It would print to standard output what we report as errors.
    log: { debug: () => {}, info: () => {}, warn: ctx.note, error: () => {} },
  });
  const github: GitHub = {
    ...http,
    octokit,
    repository,
    authorization: `token ${token}`,
    requireHooks: async () => {
      await ask("the webhooks of the repository", () =>
        octokit.repos.listWebhooks({ ...repository, per_page: 1 }),
      );
    },
  };
  return github;
}

/** What an upload sends, as a function: every try reads the file anew. */
export type FileBody = () => AsyncIterable<Uint8Array>;

/** A `fetch` for Octokit that waits and repeats as `request` does. */
function patientFetch(http: HttpOptions): typeof fetch {
  return async (input, init = {}) => {
    const method = init.method ?? "GET";
    const body = init.body as unknown;
    const answer = await request(
      {
        method,
        url: String(input),
        headers: headersOf(init.headers),
        isRepeatable: method !== "POST",
        ...(body === undefined || body === null
          ? {}
          : { body: typeof body === "function" ? (body as FileBody) : () => body as string }),
      } satisfies HttpRequest,
      http,
    );
    requireJson(answer);
    const isEmpty = [204, 205, 304].includes(answer.status);
    return new Response(isEmpty ? null : answer.body, {
      status: answer.status,
      headers: answer.headers,
    });
  };
}

/** Octokit hands on as text what is no JSON; a success of the API always is. */
function requireJson({ status, body }: HttpAnswer): void {
  if (status < 200 || status > 299 || body.length === 0) return;
  try {
    JSON.parse(decodeText(body));
  } catch (cause) {
    throw new BootcError("GitHub did not answer with JSON", {
      kind: "network",
      cause: new BootcError(cause instanceof Error ? cause.message : String(cause)),
      hint: "is something between here and GitHub? Run the same command again later",
    });
  }
}

function headersOf(headers: RequestInit["headers"]): Record<string, string> {
  return Object.fromEntries(new Headers(headers).entries());
}

/** Runs a call of Octokit; its errors become ours, about `subject`. */
export async function ask<T>(subject: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw explain(subject, error);
  }
}

interface Failure {
  readonly status: number;
  readonly response?: { readonly data?: unknown; readonly headers?: Record<string, string> };
}

function explain(subject: string, error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  if (error.cause instanceof BootcError) return error.cause;
  if (!("status" in error) || typeof error.status !== "number") return error;
  const failure = error as unknown as Failure;
  const { status } = failure;
  const said = describeData(failure.response?.data) || error.message;
  const message = `${subject}: GitHub answered ${status}: ${said}`;
  if (isRateLimited(failure)) {
    return new BootcError(message, {
      kind: "network",
      hint: "wait some minutes and run the same command again; it goes on where it stopped",
    });
  }
  if (status === 401) {
    const hint = "GITHUB_TOKEN is wrong or has ended; make a new one";
    return new BootcError(message, { kind: "authentication", hint });
  }
  if (status === 403 || status === 404) {
    return new BootcError(message, {
      kind: status === 403 ? "authentication" : "failed",
      hint: "does the token have the right to write here? GitHub also answers 404 when it has none",
    });
  }
  if (status >= 500) {
    const hint = "run the same command again later; it goes on where it stopped";
    return new BootcError(message, { kind: "network", hint });
  }
  return new BootcError(message);
}

/** 429, or 403 with the signs of a rate limit. */
function isRateLimited({ status, response }: Failure): boolean {
  const body = new TextEncoder().encode(JSON.stringify(response?.data ?? ""));
  return isRateLimit({ status, headers: new Headers(response?.headers), body });
}

/** `Validation Failed (ReleaseAsset name: already_exists)`. */
function describeData(data: unknown): string {
  if (typeof data !== "object" || data === null)
    return typeof data === "string" ? data.slice(0, 200) : "";
  const { message, errors } = data as { message?: string; errors?: readonly unknown[] };
  const details = (errors ?? []).map((it) =>
    typeof it === "object" && it !== null
      ? [...new Set(Object.values(it).map(String))].join(" ")
      : String(it),
  );
  return `${message ?? ""}${details.length > 0 ? ` (${details.join("; ")})` : ""}`;
}
