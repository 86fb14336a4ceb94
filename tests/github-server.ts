// A stand-in for GitHub's REST API: releases, assets on a separate upload host, tags and webhooks, as
// docs.github.com/rest describes them (API version 2022-11-28), with the traps of uploads.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Pace } from "../xtask/release/octokit.ts";

type Json = Record<string, unknown>;

const atOnce = {
  key: () => ({ schedule: (_options: unknown, work: () => unknown) => work() }),
} as unknown as NonNullable<Pace["write"]>;

/** The stand-in does not mind many changes in a second. */
export const UNPACED: Pace = { write: atOnce, notifications: atOnce };

/** The shapes of answers, with their source named in the folder's README. */
const fixture = (name: string): string =>
  readFileSync(join(import.meta.dirname, "fixtures/github", name), "utf8");
const RELEASE = JSON.parse(fixture("release.json")) as Json;
const ASSET = JSON.parse(fixture("asset.json")) as Json;
const HOOK = JSON.parse(fixture("hook.json")) as Json;
export const NAME_TAKEN = fixture("error-422.json");

export interface GitHubFault {
  /** A prefix of method and path: `POST /repos/o/r/releases`. Uploads are `UPLOAD name`. */
  readonly on: string;
  readonly times: number;
  readonly kind:
    | { readonly status: number; readonly body: string; readonly headers?: Record<string, string> }
    /** The connection breaks in the middle of an upload, which leaves a `starter` asset. */
    | "reset"
    /** The request is carried out, and the connection breaks before the answer. */
    | "lost-answer"
    /** The upload arrives with one byte changed. */
    | "damage";
}

interface StoredAsset {
  readonly id: number;
  readonly name: string;
  readonly data: Buffer;
  readonly state: "uploaded" | "starter";
  readonly contentType: string;
}

interface StoredRelease {
  readonly id: number;
  fields: Json;
  readonly assets: StoredAsset[];
}

interface StoredHook {
  readonly id: number;
  config: Json;
  events: unknown;
}

export interface GitHubServer {
  url: string;
  uploadUrl: string;
  /** Where the content of assets is: a host that must not see the token. */
  contentUrl: string;
  readonly releases: StoredRelease[];
  /** Commit by tag; an annotated tag by the object's name, as `tag:<commit>`. */
  readonly tags: Map<string, string>;
  readonly hooks: StoredHook[];
  readonly faults: { readonly fault: GitHubFault; hit: number }[];
  readonly seen: string[];
  /** Authorization headers that reached the content host. */
  readonly leaked: string[];
  /** An older server: assets have no digest. */
  hasNoDigests: boolean;
  close(): Promise<void>;
}

export const GITHUB_TOKEN = "ghp_0123456789secret";
export const REPOSITORY = "tester/demo";
const PREFIX = `/repos/${REPOSITORY}`;
const ASSET_PAGE = 30;

export async function startGitHubServer(): Promise<GitHubServer> {
  const api = createServer((request, response) => handle(request, response, serveApi));
  const uploads = createServer((request, response) => handle(request, response, serveUpload));
  const content = createServer((request, response) => handle(request, response, serveContent));
  const handle = (request: IncomingMessage, response: ServerResponse, serve: Serve) => {
    serve(server, request, response).catch((error: unknown) => {
      if (!response.headersSent) response.writeHead(500);
      response.end(JSON.stringify({ message: `stand-in: ${String(error)}` }));
    });
  };
  const [url, uploadUrl, contentUrl] = await Promise.all([api, uploads, content].map(listen));
  const server: GitHubServer = {
    url: url ?? "",
    uploadUrl: uploadUrl ?? "",
    contentUrl: contentUrl ?? "",
    releases: [],
    tags: new Map(),
    hooks: [],
    faults: [],
    seen: [],
    leaked: [],
    hasNoDigests: false,
    async close() {
      await Promise.all(
        [api, uploads, content].map(async (it) => {
          it.closeAllConnections();
          await new Promise((done) => it.close(done));
        }),
      );
    },
  };
  return server;
}

type Serve = (
  server: GitHubServer,
  request: IncomingMessage,
  response: ServerResponse,
) => Promise<void>;

async function listen(server: Server): Promise<string> {
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

export function addGitHubFault(server: GitHubServer, fault: GitHubFault): void {
  server.faults.push({ fault, hit: 0 });
}

function faultFor(server: GitHubServer, line: string): GitHubFault | undefined {
  const found = server.faults.find((it) => line.startsWith(it.fault.on) && it.hit < it.fault.times);
  if (found !== undefined) found.hit += 1;
  return found?.fault;
}

async function serveApi(
  server: GitHubServer,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? "/", server.url);
  // Octokit writes the slash of `tags/v1` as %2F, which GitHub treats as a slash.
  const line = `${request.method} ${decodeURIComponent(url.pathname)}`;
  const fault = faultFor(server, line);
  const body = await readBody(request);
  server.seen.push(line);
  if (fault !== undefined && typeof fault.kind === "object") {
    send(response, fault.kind.status, fault.kind.body, fault.kind.headers);
    return;
  }
  const reply = isAuthorized(request)
    ? answer(server, {
        line,
        url,
        json: body.length > 0 ? (JSON.parse(body.toString()) as Json) : {},
        request,
      })
    : { status: 401, json: { message: "Bad credentials" } };
  if (fault?.kind === "lost-answer") request.socket.resetAndDestroy();
  else if (reply.status === 204) response.writeHead(204).end();
  else send(response, reply.status, JSON.stringify(reply.json), reply.headers);
}

function isAuthorized(request: IncomingMessage): boolean {
  return request.headers.authorization === `token ${GITHUB_TOKEN}`;
}

function send(
  response: ServerResponse,
  status: number,
  body: string,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { "content-type": "application/json; charset=utf-8", ...headers });
  response.end(body);
}

interface Received {
  readonly line: string;
  readonly url: URL;
  readonly json: Json;
  readonly request: IncomingMessage;
}

interface Reply {
  readonly status: number;
  readonly json?: unknown;
  readonly headers?: Record<string, string>;
}

const NOT_FOUND: Reply = { status: 404, json: { message: "Not Found" } };

function answer(server: GitHubServer, it: Received): Reply {
  const path = it.line.replace(PREFIX, "");
  const [, method = "", rest = ""] = /^(\w+) (.*)$/.exec(path) ?? [];
  if (rest.startsWith("/git/")) return answerGit(server, rest);
  if (rest.startsWith("/hooks")) return answerHooks(server, method, rest, it);
  if (path === "GET /releases") {
    return page(it, server.releases.map((release) => releaseJson(server, release)).reverse());
  }
  if (path === "POST /releases") return createRelease(server, it.json);
  const [, assetId] = /^\/releases\/assets\/(\d+)$/.exec(rest) ?? [];
  if (assetId !== undefined) return answerAsset(server, method, Number(assetId), it);
  const [, id, isAssets] = /^\/releases\/(\d+)(\/assets)?$/.exec(rest) ?? [];
  const release = server.releases.find((known) => known.id === Number(id));
  if (release === undefined) return NOT_FOUND;
  if (isAssets !== undefined) {
    return page(
      it,
      release.assets.map((asset) => assetJson(server, release, asset)),
    );
  }
  if (method === "PATCH") release.fields = { ...release.fields, ...it.json };
  return { status: 200, json: releaseJson(server, release) };
}

function createRelease(server: GitHubServer, json: Json): Reply {
  const taken = server.releases.some(
    (it) => it.fields.tag_name === json.tag_name && it.fields.draft !== true && json.draft !== true,
  );
  if (taken) {
    const errors = [{ resource: "Release", code: "already_exists", field: "tag_name" }];
    return { status: 422, json: { message: "Validation Failed", errors } };
  }
  const release: StoredRelease = { id: 100 + server.releases.length, fields: json, assets: [] };
  server.releases.push(release);
  return { status: 201, json: releaseJson(server, release) };
}

function answerAsset(server: GitHubServer, method: string, id: number, it: Received): Reply {
  for (const release of server.releases) {
    const at = release.assets.findIndex((asset) => asset.id === id);
    const asset = release.assets[at];
    if (asset === undefined) continue;
    if (method === "DELETE") {
      release.assets.splice(at, 1);
      return { status: 204 };
    }
    if (it.request.headers.accept === "application/octet-stream") {
      return { status: 302, json: {}, headers: { location: `${server.contentUrl}/${asset.id}` } };
    }
    return { status: 200, json: assetJson(server, release, asset) };
  }
  return NOT_FOUND;
}

function answerGit(server: GitHubServer, path: string): Reply {
  const [, tag] = /^\/git\/matching-refs\/tags\/(.+)$/.exec(path) ?? [];
  if (tag !== undefined) {
    const refs = [...server.tags].filter(([name]) => name.startsWith(decodeURIComponent(tag)));
    const json = refs.map(([name, commit]) => ({
      ref: `refs/tags/${name}`,
      object: commit.startsWith("tag:")
        ? { type: "tag", sha: `object-of-${name}` }
        : { type: "commit", sha: commit },
    }));
    return { status: 200, json };
  }
  const [, name = ""] = /^\/git\/tags\/object-of-(.+)$/.exec(path) ?? [];
  const commit = server.tags.get(name)?.replace("tag:", "");
  if (commit === undefined) return NOT_FOUND;
  return { status: 200, json: { tag: name, object: { type: "commit", sha: commit } } };
}

function answerHooks(server: GitHubServer, method: string, path: string, it: Received): Reply {
  if (method === "GET") return page(it, server.hooks);
  if (method === "POST") {
    const { config, events } = it.json as { config: Json; events: unknown };
    if (server.hooks.some((hook) => hook.config.url === config.url)) {
      const errors = [
        { resource: "Hook", code: "custom", message: "Hook already exists on this repository" },
      ];
      return { status: 422, json: { message: "Validation Failed", errors } };
    }
    const hook = { ...HOOK, id: 1 + server.hooks.length, config, events };
    server.hooks.push(hook);
    return { status: 201, json: hook };
  }
  const hook = server.hooks.find((known) => `/hooks/${known.id}` === path);
  if (hook === undefined) return NOT_FOUND;
  hook.config = (it.json.config as Json | undefined) ?? hook.config;
  hook.events = it.json.events ?? hook.events;
  return { status: 200, json: hook };
}

/** Pages of at most 100, with the addresses of the next ones in the Link header. */
function page(it: Received, all: readonly unknown[]): Reply {
  const size = Math.min(Number(it.url.searchParams.get("per_page") ?? ASSET_PAGE), 100);
  const number = Number(it.url.searchParams.get("page") ?? 1);
  const json = all.slice((number - 1) * size, number * size);
  if (number * size >= all.length) return { status: 200, json };
  const next = new URL(it.url);
  next.searchParams.set("page", String(number + 1));
  return { status: 200, json, headers: { link: `<${next.href}>; rel="next"` } };
}

function releaseJson(server: GitHubServer, release: StoredRelease): Json {
  const { tag_name } = release.fields;
  const base = `https://github.com/${REPOSITORY}/releases`;
  return {
    ...RELEASE,
    ...release.fields,
    id: release.id,
    url: `${server.url}${PREFIX}/releases/${release.id}`,
    // A draft's page has a name of its own.
    html_url: release.fields.draft === true ? `${base}/tag/untagged-1` : `${base}/tag/${tag_name}`,
    upload_url: `${server.uploadUrl}${PREFIX}/releases/${release.id}/assets{?name,label}`,
    assets: release.assets.map((it) => assetJson(server, release, it)),
  };
}

function assetJson(server: GitHubServer, _release: StoredRelease, asset: StoredAsset): Json {
  const digest = `sha256:${createHash("sha256").update(asset.data).digest("hex")}`;
  return {
    ...ASSET,
    id: asset.id,
    name: asset.name,
    url: `${server.url}${PREFIX}/releases/assets/${asset.id}`,
    state: asset.state,
    size: asset.data.length,
    content_type: asset.contentType,
    digest: server.hasNoDigests || asset.state === "starter" ? null : digest,
  };
}

async function serveUpload(
  server: GitHubServer,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? "/", server.uploadUrl);
  const [, id] = new RegExp(`^${PREFIX}/releases/(\\d+)/assets$`).exec(url.pathname) ?? [];
  const release = server.releases.find((it) => it.id === Number(id));
  const given = url.searchParams.get("name") ?? "";
  server.seen.push(`UPLOAD ${given}`);
  const fault = faultFor(server, `UPLOAD ${given}`);
  if (release === undefined || request.method !== "POST")
    return send(response, 404, '{"message":"Not Found"}');
  if (!isAuthorized(request)) return send(response, 401, '{"message":"Bad credentials"}');
  const asset = {
    id: 9000 + server.seen.length,
    contentType: request.headers["content-type"] ?? "",
  };
  // Other characters than these become dots.
  const name = given.replaceAll(/[^A-Za-z0-9._+-]/g, ".");
  if (fault?.kind === "reset") {
    await new Promise((done) => request.once("data", done));
    release.assets.push({ ...asset, name, data: Buffer.alloc(0), state: "starter" });
    request.socket.resetAndDestroy();
    return;
  }
  const data = await readBody(request);
  if (fault !== undefined && typeof fault.kind === "object") {
    return send(response, fault.kind.status, fault.kind.body, fault.kind.headers);
  }
  if (Number(request.headers["content-length"]) !== data.length) {
    return send(response, 400, '{"message":"Bad Content-Length"}');
  }
  if (release.assets.some((it) => it.name === name)) {
    return send(response, 422, NAME_TAKEN);
  }
  if (fault?.kind === "damage") data[0] = (data[0] ?? 0) ^ 1;
  const stored: StoredAsset = { ...asset, name, data, state: "uploaded" };
  release.assets.push(stored);
  if (fault?.kind === "lost-answer") request.socket.resetAndDestroy();
  else send(response, 201, JSON.stringify(assetJson(server, release, stored)));
}

async function serveContent(
  server: GitHubServer,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { authorization } = request.headers;
  if (authorization !== undefined) server.leaked.push(authorization);
  const asset = server.releases
    .flatMap((it) => it.assets)
    .find((it) => `/${it.id}` === request.url);
  response.writeHead(asset === undefined ? 404 : 200).end(asset?.data);
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
