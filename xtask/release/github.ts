// Connects to GitHub's REST API, and turns its errors into ours.
import type { Octokit } from "@octokit/rest";
import { BootcError } from "../../src/errors.ts";
import { readPackageJson } from "../checkout/package-json.ts";
import { type Clock, realClock } from "../remote/clock.ts";
import { type HttpOptions, unreachable } from "../remote/http.ts";
import type { Tree } from "../task.ts";
import { createOctokit, isFailure, type Pace } from "./octokit.ts";

export interface Repository {
  readonly owner: string;
  readonly repo: string;
}

export interface GitHub extends HttpOptions {
  readonly octokit: Octokit;
  readonly repository: Repository;
  readonly authorization: string;
  /** Fails unless the token allows setting webhooks, before anything is changed. */
  requireHooks(): Promise<void>;
}

/** Reads `owner/repo` from GITHUB_REPOSITORY, which workflows have, or from package.json. */
export async function readRepository({ ctx, top }: Tree): Promise<Repository> {
  const text = ctx.env.GITHUB_REPOSITORY ?? (await readPackageJson(top)).repository?.url ?? "";
  const [, owner, repo] = /^(?:.*github\.com\/)?([^/]+)\/([^/]+?)(?:\.git)?$/.exec(text) ?? [];
  if (owner !== undefined && repo !== undefined) return { owner, repo };
  throw new BootcError(`\`${text}\` is not a repository on GitHub`, {
    hint: "set `repository.url` in package.json",
  });
}

export interface GitHubOptions {
  readonly clock?: Clock;
  readonly fetch?: typeof fetch;
  /** GitHub asks for a second between two changes; tests do not. */
  readonly pace?: Pace;
}

/** The token comes from GITHUB_TOKEN or GH_TOKEN, the address from GITHUB_API_URL. */
export async function connectGitHub(
  { ctx }: Tree,
  repository: Repository,
  { clock = realClock, fetch: fetcher = fetch, pace = {} }: GitHubOptions = {},
): Promise<GitHub> {
  const token = ctx.env.GITHUB_TOKEN || ctx.env.GH_TOKEN;
  if (!token) {
    throw new BootcError("there is no token for GitHub", {
      kind: "authentication",
      hint: "set GITHUB_TOKEN, for example to the output of `gh auth token`",
    });
  }
  const http = { signal: ctx.signal, clock, note: ctx.note, fetch: fetcher };
  const baseUrl = ctx.env.GITHUB_API_URL || "https://api.github.com";
  const octokit = createOctokit(http, { token, baseUrl, pace });
  octokit.hook.after("request", ({ status, data }) => requireJson(status, data));
  return {
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
}

/** Octokit returns text if the answer is not JSON, but the API's successful answers always are. */
function requireJson(status: number, data: unknown): void {
  if (status < 300 && (typeof data === "object" || data === "")) return;
  const problem =
    status < 300
      ? "GitHub did not answer with JSON"
      : `GitHub answered with a redirect (${status})`;
  throw new BootcError(problem, {
    kind: "network",
    hint: "is there a proxy between here and GitHub? Run the same command again later",
  });
}

/** Makes a call by Octokit, and turns its errors into ours, about `subject`. */
export async function ask<T>(subject: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw explain(subject, error);
  }
}

function explain(subject: string, error: unknown): unknown {
  if (!isFailure(error)) return error;
  const { status, request, response } = error;
  if (response === undefined) return unreachable(request.url, error);
  const said = describeData(response.data) || error.message;
  const message = `${subject}: GitHub answered ${status}: ${said}`;
  if (isRateLimit(status, said, response.headers)) {
    return new BootcError(message, {
      kind: "network",
      hint: "wait some minutes, then run the same command again; it continues where it stopped",
    });
  }
  if (status === 401) {
    const hint = "GITHUB_TOKEN is wrong or has expired; make a new one";
    return new BootcError(message, { kind: "authentication", hint });
  }
  if (status === 403 || status === 404) {
    return new BootcError(message, {
      kind: status === 403 ? "authentication" : "failed",
      hint: "does the token have the right to write here? If not, GitHub may also answer 404",
    });
  }
  if (status >= 500) {
    const hint = "run the same command again later; it continues where it stopped";
    return new BootcError(message, { kind: "network", hint });
  }
  return new BootcError(message);
}

/** 429, or 403 with the signs of a rate limit. */
function isRateLimit(status: number, said: string, headers: Record<string, string>): boolean {
  if (status !== 403) return status === 429;
  const isUsedUp = headers["x-ratelimit-remaining"] === "0" || "retry-after" in headers;
  return isUsedUp || /secondary rate limit/i.test(said);
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
