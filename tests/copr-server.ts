// A stand-in for a COPR server: the part of API v3 we use, with the behaviour and the JSON shapes of the real
// frontend. It was compared with fedora-copr/copr 5d37cd8 (2026-08-07), by running that on a loopback port, or by
// reading it where a builder or a dist-git would have been needed. Functions that repeat a decision of the server
// name their source.
import { createHash, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { checkProject } from "./copr-forms.ts";
import { type Frame, framesOf, type Outcome } from "./copr-frames.ts";
import { isMeant, type Push } from "./copr-webhook.ts";

type Json = Record<string, unknown>;

/** The shapes of answers, with their source named in the folder's README. */
const fixture = (name: string): string =>
  readFileSync(join(import.meta.dirname, "fixtures/copr", name), "utf8");
const BUILD = JSON.parse(fixture("build.json")) as Json;
const BUILD_CHROOT = JSON.parse(fixture("build-chroot.json")) as Json;
const PROJECT = JSON.parse(fixture("project.json")) as Json;
const PACKAGE = JSON.parse(fixture("package.json")) as Json;
const REFUSED = JSON.parse(fixture("error-401.json")) as Json;
export const GATEWAY_TIMEOUT = fixture("error-504.html");

export interface Fault {
  /** `GET /build/12`, a prefix of method and path below `/api_3`. */
  readonly on: string;
  readonly times: number;
  /** Answers before which nothing goes wrong. */
  readonly after?: number;
  readonly kind:
    | { readonly status: number; readonly body: string; readonly headers?: Record<string, string> }
    /** The connection breaks in the middle of the request's body. */
    | "reset"
    /** The request is carried out, and the connection breaks before the answer. */
    | "lost-answer"
    /** The request is carried out, and no answer comes. */
    | "silence";
}

export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly json: unknown;
  readonly userAgent: string;
  readonly hasToken: boolean;
}

interface StoredBuild {
  readonly id: number;
  readonly project: string;
  readonly chroots: readonly string[];
  frames: readonly Frame[];
  at: number;
  /** The request named no chroots: the server decides when it knows the package's name from the source RPM. */
  readonly hasLateChroots: boolean;
  readonly packageName?: string;
  readonly request: Json;
  readonly submitter: string | null;
}

interface StoredProject {
  readonly id: number;
  fields: Json;
  chroots: readonly string[];
  readonly packages: Map<string, Json>;
  secret: string;
}

export interface Uploaded {
  readonly name: string;
  readonly sizeBytes: number;
  readonly sha256: string;
}

export const LOGIN = "login-abcdefgh";
export const TOKEN = "token-0123456789";
export const CHROOTS = [
  "centos-stream-9-aarch64",
  "centos-stream-9-x86_64",
  "centos-stream-10-aarch64",
  "centos-stream-10-x86_64",
  "fedora-43-aarch64",
  "fedora-43-x86_64",
  "fedora-44-aarch64",
  "fedora-44-x86_64",
  "fedora-45-aarch64",
  "fedora-45-x86_64",
  "fedora-rawhide-aarch64",
  "fedora-rawhide-x86_64",
];

export interface CoprServer {
  url: string;
  readonly seen: Seen[];
  readonly uploads: Uploaded[];
  readonly projects: Map<string, StoredProject>;
  readonly builds: Map<number, StoredBuild>;
  /** The chroots that projects may choose from. */
  chroots: readonly string[];
  readonly faults: { readonly fault: Fault; passed: number; hit: number }[];
  /** How builds that are started from now on will go. */
  outcome: Outcome;
  pageSizeMax: number;
  /** What the server writes to its log of errors. */
  readonly errorLog: string[];
  /** The token is refused, as after 180 days. */
  isTokenRevoked: boolean;
  close(): Promise<void>;
}

/** Starts a server without projects. */
export async function startCoprServer(): Promise<CoprServer> {
  const http = createServer((request, response) => {
    serve(server, request, response).catch((error: unknown) => {
      response.writeHead(500).end(JSON.stringify({ error: `stand-in: ${String(error)}` }));
    });
  });
  await new Promise<void>((done) => http.listen(0, "127.0.0.1", done));
  const server: CoprServer = {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    seen: [],
    uploads: [],
    projects: new Map(),
    builds: new Map(),
    chroots: CHROOTS,
    faults: [],
    outcome: "succeeded",
    pageSizeMax: 100,
    errorLog: [],
    isTokenRevoked: false,
    async close() {
      http.closeAllConnections();
      await new Promise((done) => http.close(done));
    },
  };
  return server;
}

/** Makes the server fail on the next requests that match. */
export function addFault(server: CoprServer, fault: Fault): void {
  server.faults.push({ fault, passed: 0, hit: 0 });
}

/**
 * Fedora `version` branches from rawhide: projects that follow get the new chroots beside their rawhide
 * ones. Source: `branch_fedora` and `rawhide_to_release`.
 */
export function branchFedora(server: CoprServer, version: number): void {
  const branched = (chroots: readonly string[]) =>
    chroots
      .filter((it) => it.startsWith("fedora-rawhide-"))
      .map((it) => it.replace("rawhide", String(version)));
  const withBranched = (chroots: readonly string[]) => [
    ...new Set([...chroots, ...branched(chroots)]),
  ];
  server.chroots = withBranched(server.chroots);
  for (const project of server.projects.values()) {
    if (project.fields.follow_fedora_branching === true) {
      project.chroots = withBranched(project.chroots);
    }
  }
}

/** ~/.config/copr for this server, as its /api page shows it. */
export function tokenFile(server: CoprServer): string {
  return [
    "[copr-cli]",
    `login = ${LOGIN}`,
    "username = tester",
    `token = ${TOKEN}`,
    `copr_url = ${server.url}`,
    "encrypted = false",
    "# expiration date: 2099-01-01",
    "",
  ].join("\n");
}

async function serve(
  server: CoprServer,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? "/", server.url);
  const path = url.pathname.replace(/^\/api_3/, "");
  const method = request.method ?? "";
  const fault = faultFor(server, `${method} ${path}`);
  if (fault?.kind === "reset") {
    await new Promise((done) => request.once("data", done));
    request.socket.resetAndDestroy();
    return;
  }
  const body = await readBody(request);
  const json = parseMaybe(body, request.headers["content-type"]);
  const query = Object.fromEntries(url.searchParams);
  const userAgent = request.headers["user-agent"] ?? "";
  const hasToken = request.headers.authorization !== undefined;
  server.seen.push({ method, path, query, json, userAgent, hasToken });
  if (fault !== undefined && typeof fault.kind === "object") {
    const headers = { "content-type": "application/json", ...fault.kind.headers };
    response.writeHead(fault.kind.status, headers).end(fault.kind.body);
    return;
  }
  const reply = answer(server, { method, path, query, json, body, request });
  if (fault?.kind === "silence") return;
  if (fault?.kind === "lost-answer") {
    request.socket.resetAndDestroy();
    return;
  }
  response.writeHead(reply.status, { "content-type": reply.type ?? "application/json" });
  response.end(reply.raw ?? JSON.stringify(reply.json));
}

function faultFor(server: CoprServer, line: string): Fault | undefined {
  for (const it of server.faults) {
    if (!line.startsWith(it.fault.on) || it.hit >= it.fault.times) continue;
    if (it.passed < (it.fault.after ?? 0)) {
      it.passed += 1;
      continue;
    }
    it.hit += 1;
    return it.fault;
  }
  return undefined;
}

function answer(server: CoprServer, it: Received): Reply {
  if (it.path.startsWith("/webhooks/github/")) return postWebhook(server, it);
  if (it.path.startsWith("/results/")) return getResult(server, it.path);
  // Source: `api_login_required` stands before what changes something; reading is for everybody.
  if (it.method !== "GET" && !isLoggedIn(server, it.request)) {
    return { status: 401, json: REFUSED };
  }
  for (const [pattern, handle] of ROUTES) {
    const match = pattern.exec(`${it.method} ${it.path}`);
    if (match !== null) return handle(server, it, match.slice(1).map(decodeURIComponent));
  }
  return notFound(`no route ${it.method} ${it.path}`);
}

function isLoggedIn(server: CoprServer, request: IncomingMessage): boolean {
  const want = `Basic ${Buffer.from(`${LOGIN}:${TOKEN}`).toString("base64")}`;
  return !server.isTokenRevoked && request.headers.authorization === want;
}

interface NewBuild {
  readonly project: string;
  readonly chroots: readonly string[];
  readonly request: Json;
  readonly submitter: string | null;
  readonly hasLateChroots?: boolean;
  /** The package, if it is known from the beginning. */
  readonly packageName?: string;
}

/** A build that somebody else started, or that a request starts. */
export function addBuild(server: CoprServer, it: NewBuild): StoredBuild {
  const id = 1001 + server.builds.size;
  const frames = framesOf(server.outcome, it.chroots);
  const build: StoredBuild = { id, hasLateChroots: false, ...it, frames, at: 0 };
  server.builds.set(id, build);
  return build;
}

/** Source: `BuildsLogic.create_new` and `update_state_from_dict`. */
function chrootsNow(build: StoredBuild): readonly string[] {
  return build.hasLateChroots && !hasSourceRpm(build) ? [] : build.chroots;
}

/** It is read before the import begins, whether that succeeds or not. */
function hasSourceRpm({ frames, at }: StoredBuild): boolean {
  const frame = frames[at];
  return frame?.isUndated === true || /importing|succeeded/.test(frame?.source ?? "");
}

function projectOf(server: CoprServer, owner: unknown, name: unknown): StoredProject | undefined {
  return server.projects.get(`${String(owner)}/${String(name)}`);
}

/** 200 "OK" whether something is built or not; HTML for a wrong secret. Source: `webhooks_git_push`. */
function postWebhook(server: CoprServer, { path, json, request }: Received): Reply {
  const ok = { status: 200, type: "text/plain", raw: "OK" };
  if (request.headers["x-github-event"] === "ping") return ok;
  const [, id, secret, name] =
    /^\/webhooks\/github\/(\d+)\/([^/]+)\/(?:([^/]+)\/)?$/.exec(path) ?? [];
  const [key, project] = [...server.projects].find(([, it]) => it.id === Number(id)) ?? [];
  if (key === undefined || project === undefined) return htmlError("404 Not Found");
  if (project.secret !== secret) return htmlError("403 Forbidden");
  const push = json as Push;
  const committish = push.ref_type === "tag" ? push.ref : push.after;
  for (const [pkgName, pkg] of project.packages) {
    const source = pkg.source_dict as Json;
    if (pkg.auto_rebuild !== true || !isMeant({ name: pkgName, source, addressed: name }, push))
      continue;
    const chroots = project.chroots;
    const it = { ...source, webhook: true, committish };
    addBuild(server, { project: key, chroots, request: it, submitter: null, packageName: pkgName });
  }
  return ok;
}

const htmlError = (title: string): Reply => ({
  status: Number.parseInt(title, 10),
  type: "text/html",
  raw: `<html><title>${title}</title></html>`,
});

function getResult(server: CoprServer, path: string): Reply {
  const [, id, where = "", name] = /^\/results\/(\d+)\/([^/]+)\/(.+)$/.exec(path) ?? [];
  const build = server.builds.get(Number(id));
  if (build === undefined) return { status: 404, json: {} };
  const state = stateIn(build, where);
  const text = `building ${where}\n${"compiling\n".repeat(40)}the end of ${where}: ${state}\n`;
  const isOver = isFinal(state);
  if (name?.endsWith(".log.gz") === true && isOver) {
    return { status: 200, type: "application/gzip", raw: gzipSync(text) };
  }
  if (name?.endsWith(".log") === true && !isOver)
    return { status: 200, type: "text/plain", raw: text };
  return { status: 404, type: "text/html", raw: "<html><title>404 Not Found</title></html>" };
}

interface Received {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly json: unknown;
  readonly body: Buffer;
  readonly request: IncomingMessage;
}

interface Reply {
  readonly status: number;
  readonly json?: unknown;
  readonly type?: string;
  readonly raw?: string | Buffer;
}

type Handler = (server: CoprServer, it: Received, parts: readonly string[]) => Reply;

const notFound = (error: string): Reply => ({ status: 404, json: { error } });
const badRequest = (error: string): Reply => ({ status: 400, json: { error } });

const ROUTES: readonly (readonly [RegExp, Handler])[] = [
  [
    /^GET \/mock-chroots\/list$/,
    (server) => ({ status: 200, json: Object.fromEntries(server.chroots.map((it) => [it, ""])) }),
  ],
  [/^GET \/project\/?$/, getProject],
  [/^POST \/project\/add\/([^/]+)$/, addProject],
  [/^PUT \/project\/edit\/([^/]+)\/([^/]+)$/, editProject],
  [/^GET \/package\/?$/, getPackage],
  [/^POST \/package\/(add|edit)\/([^/]+)\/([^/]+)\/([^/]+)\/scm$/, putPackage],
  [/^POST \/package\/build$/, buildPackage],
  [/^POST \/build\/create\/scm$/, createScm],
  [/^POST \/build\/create\/upload$/, createUpload],
  [/^POST \/build\/check-before-build$/, checkBeforeBuild],
  [/^GET \/build\/list$/, listBuilds],
  [/^GET \/build\/source-chroot\/(\d+)$/, getSourceChroot],
  [/^GET \/build\/source-build-config\/(\d+)$/, getSourceBuildConfig],
  [/^GET \/build\/(\d+)$/, getBuild],
  [/^PUT \/build\/cancel\/(\d+)$/, cancelBuild],
  [/^GET \/build-chroot\/list$/, listBuildChroots],
  [/^POST \/webhook\/generate\/([^/]+)\/([^/]+)$/, generateSecret],
  [/^GET \/monitor$/, getMonitor],
];

function getProject(server: CoprServer, { query }: Received): Reply {
  const project = projectOf(server, query.ownername, query.projectname);
  if (project === undefined)
    return notFound(`Project ${query.ownername}/${query.projectname} does not exist.`);
  return {
    status: 200,
    json: projectJson(server, `${query.ownername}/${query.projectname}`, project),
  };
}

function projectJson(server: CoprServer, key: string, project: StoredProject): Json {
  const [ownername, name] = key.split("/");
  const repos = project.chroots.map((it) => [it, `${server.url}/results/${key}/${it}/`]);
  return {
    ...PROJECT,
    id: project.id,
    name,
    ownername,
    full_name: key,
    ...project.fields,
    chroot_repos: Object.fromEntries(repos),
  };
}

function addProject(
  server: CoprServer,
  { json, query }: Received,
  [owner = ""]: readonly string[],
): Reply {
  const { name, chroots, ...fields } = json as Json & { name: string; chroots: string[] };
  const key = `${owner}/${name}`;
  const existing = server.projects.get(key);
  if (existing !== undefined) {
    if (query.exist_ok !== "True")
      return badRequest("name: You already have a project with this name");
    return { status: 200, json: projectJson(server, key, existing) };
  }
  const problem = checkProject(fields) ?? checkChroots(server, chroots);
  if (problem !== undefined) return badRequest(problem);
  const project = {
    id: 500 + server.projects.size,
    // A field that the form omits gets its default.
    fields: { follow_fedora_branching: true, ...fields },
    chroots,
    packages: new Map(),
    secret: randomUUID(),
  };
  server.projects.set(key, project);
  return { status: 200, json: projectJson(server, key, project) };
}

function checkChroots(
  server: CoprServer,
  chroots: readonly string[] | undefined,
): string | undefined {
  if (chroots === undefined || chroots.length === 0)
    return "chroots: At least one chroot must be selected";
  const unknown = chroots.filter((it) => !server.chroots.includes(it));
  return unknown.length === 0 ? undefined : `Unexpected chroot: ${unknown.join(", ")}`;
}

function editProject(
  server: CoprServer,
  { json }: Received,
  [owner, name]: readonly string[],
): Reply {
  const project = projectOf(server, owner, name);
  if (project === undefined) return notFound(`Project ${owner}/${name} does not exist.`);
  const { chroots, ...fields } = json as Json & { chroots?: string[] };
  const refused = checkProject(fields);
  if (refused !== undefined) return badRequest(refused);
  if (chroots !== undefined) {
    const problem = checkChroots(server, chroots);
    if (problem !== undefined) return badRequest(problem);
    // Chroots that are not named are switched off, and their results are deleted a week later.
    project.chroots = chroots;
  }
  project.fields = { ...project.fields, ...fields };
  return { status: 200, json: projectJson(server, `${owner}/${name}`, project) };
}

function getPackage(server: CoprServer, { query }: Received): Reply {
  const project = projectOf(server, query.ownername, query.projectname);
  const pkg = project?.packages.get(query.packagename ?? "");
  if (pkg === undefined)
    return notFound(`No package with name ${query.packagename} in copr ${query.projectname}`);
  return { status: 200, json: pkg };
}

function putPackage(
  server: CoprServer,
  { json }: Received,
  [verb, owner, projectName, name = ""]: readonly string[],
): Reply {
  const project = projectOf(server, owner, projectName);
  if (project === undefined) return notFound(`Project ${owner}/${projectName} does not exist.`);
  const known = project.packages.get(name);
  if (verb === "add" && known !== undefined) {
    return {
      status: 409,
      json: { error: `Package ${name} already exists in copr ${owner}/${projectName}.` },
    };
  }
  if (verb === "edit" && known === undefined) return notFound(`No package with name ${name}`);
  const it = json as Json;
  if (it.source_build_method !== undefined && it.source_build_method !== "make_srpm") {
    return badRequest("srpm_build_method: Not a valid choice.");
  }
  const before = (known?.source_dict ?? {}) as Json;
  const pkg: Json = {
    ...PACKAGE,
    name,
    ownername: owner,
    projectname: projectName,
    // The names that come back are not those that were sent.
    source_dict: {
      type: it.scm_type ?? before.type ?? "git",
      clone_url: it.clone_url ?? before.clone_url,
      committish: it.committish ?? before.committish,
      subdirectory: it.subdirectory ?? before.subdirectory,
      spec: it.spec ?? before.spec,
      srpm_build_method: it.source_build_method ?? before.srpm_build_method,
    },
    auto_rebuild: it.webhook_rebuild ?? known?.auto_rebuild ?? false,
  };
  project.packages.set(name, pkg);
  return { status: 200, json: pkg };
}

function startBuild(server: CoprServer, json: Json, { isPackage }: { isPackage: boolean }): Reply {
  const project = projectOf(server, json.ownername, json.projectname);
  if (project === undefined)
    return notFound(`Project ${json.ownername}/${json.projectname} does not exist.`);
  const asked = json.chroots as string[] | undefined;
  const unknown = (asked ?? []).filter((it) => !project.chroots.includes(it));
  if (unknown.length > 0)
    return badRequest(`chroots: Chroot ${unknown[0]} is not enabled in this project.`);
  const chroots = asked ?? project.chroots;
  const key = `${json.ownername}/${json.projectname}`;
  const build = addBuild(server, {
    project: key,
    chroots,
    request: json,
    submitter: "tester",
    hasLateChroots: !isPackage && asked === undefined,
  });
  return { status: 200, json: buildJson(build) };
}

function buildPackage(server: CoprServer, { json }: Received): Reply {
  const it = json as Json;
  const project = projectOf(server, it.ownername, it.projectname);
  if (project?.packages.has(String(it.package_name)) !== true) {
    return notFound(`No package with name ${it.package_name} in copr ${it.projectname}`);
  }
  return startBuild(server, it, { isPackage: true });
}

function createScm(server: CoprServer, { json }: Received): Reply {
  if (Object.keys((json ?? {}) as Json).length === 0) {
    return {
      status: 500,
      json: { error: "Request wasn't successful, there is probably a bug in the API code." },
    };
  }
  return startBuild(server, json as Json, { isPackage: false });
}

function createUpload(server: CoprServer, { body, request }: Received): Reply {
  const boundary = /boundary=(.+)$/.exec(request.headers["content-type"] ?? "")?.[1];
  if (boundary === undefined) return badRequest("pkgs: This field is required.");
  // mod_wsgi in front of the real server hands chunked bodies on without their length.
  if (request.headers["content-length"] === undefined)
    return badRequest("pkgs: This field is required.");
  const parts = splitMultipart(body, boundary);
  const json = parts.find((it) => it.name === "json");
  const file = parts.find((it) => it.name === "pkgs");
  if (json === undefined || file === undefined) return badRequest("pkgs: This field is required.");
  if (!/\.(src|nosrc)\.rpm$/.test(file.filename)) return badRequest("pkgs: wrong extension");
  server.uploads.push({
    name: file.filename,
    sizeBytes: file.data.length,
    sha256: createHash("sha256").update(file.data).digest("hex"),
  });
  return startBuild(server, JSON.parse(json.data.toString()) as Json, { isPackage: false });
}

function splitMultipart(body: Buffer, boundary: string) {
  const parts: { name: string; filename: string; data: Buffer }[] = [];
  const mark = Buffer.from(`--${boundary}`);
  let start = body.indexOf(mark);
  for (;;) {
    const end = body.indexOf(mark, start + mark.length);
    if (end < 0) return parts;
    const part = body.subarray(start + mark.length + 2, end - 2);
    const split = part.indexOf("\r\n\r\n");
    const head = part.subarray(0, split).toString();
    parts.push({
      name: / name="([^"]*)"/.exec(head)?.[1] ?? "",
      filename: / filename="([^"]*)"/.exec(head)?.[1] ?? "",
      data: part.subarray(split + 4),
    });
    start = end;
  }
}

function checkBeforeBuild(server: CoprServer, { json }: Received): Reply {
  const it = json as Json;
  const project = projectOf(server, it.ownername, it.projectname);
  if (project === undefined)
    return notFound(`Project ${it.ownername}/${it.projectname} does not exist.`);
  const unknown = ((it.chroots as string[]) ?? []).filter(
    (name) => !project.chroots.includes(name),
  );
  if (unknown.length > 0)
    return badRequest(`chroots: Chroot ${unknown[0]} is not enabled in this project.`);
  return { status: 200, json: { message: "It should be safe to submit a build" } };
}

function listBuilds(server: CoprServer, { query }: Received): Reply {
  const key = `${query.ownername}/${query.projectname}`;
  if (!server.projects.has(key)) return notFound(`Project ${key} does not exist.`);
  const limit = Math.min(Number(query.limit ?? server.pageSizeMax), server.pageSizeMax);
  const offset = Number(query.offset ?? 0);
  const all = [...server.builds.values()].filter((it) => it.project === key).reverse();
  const meta = { limit, offset, order: query.order, order_type: query.order_type };
  return { status: 200, json: { items: all.slice(offset, offset + limit).map(buildJson), meta } };
}

function buildOf(server: CoprServer, id: string | undefined): StoredBuild | undefined {
  return server.builds.get(Number(id));
}

function getBuild(server: CoprServer, _it: Received, [id]: readonly string[]): Reply {
  const build = buildOf(server, id);
  if (build === undefined) return notFound(`Build ${id} does not exist.`);
  const json = buildJson(build);
  // Time passes: the next request sees the next step.
  build.at = Math.min(build.at + 1, build.frames.length - 1);
  return { status: 200, json };
}

/** There is an answer from `running` on. Source: `to_source_chroot`, which takes `None` for a path before. */
function getSourceChroot(server: CoprServer, { path }: Received, [id]: readonly string[]): Reply {
  const build = buildOf(server, id);
  if (build === undefined) return notFound(`Build ${id} does not exist.`);
  const state = stateIn(build, "source");
  if (!["running", "failed", "succeeded", "canceled", "importing"].includes(state)) {
    server.errorLog.push(`GET ${path}: TypeError: expected str, not NoneType`);
    return {
      status: 500,
      json: { error: "Request wasn't successful, there is probably a bug in the API code." },
    };
  }
  const result_url = `${server.url}/results/${id}/source/`;
  return { status: 200, json: { state, result_url } };
}

function getSourceBuildConfig(server: CoprServer, _it: Received, [id]: readonly string[]): Reply {
  const build = buildOf(server, id);
  if (build === undefined) return notFound(`Build ${id} does not exist.`);
  const { committish = "", clone_url = "", subdirectory = "", spec = "" } = build.request;
  const place = { clone_url, committish, subdirectory, spec };
  const source_dict = { type: "git", ...place, srpm_build_method: "make_srpm" };
  return { status: 200, json: { source_type: "scm", source_dict, timeout: 18_000 } };
}

function cancelBuild(server: CoprServer, _it: Received, [id]: readonly string[]): Reply {
  const build = buildOf(server, id);
  if (build === undefined) return notFound(`Build ${id} does not exist.`);
  const frame = build.frames[build.at];
  if (frame === undefined || isFinal(frame.state)) {
    return { status: 409, json: { error: `Cannot cancel build ${id}` } };
  }
  // The chroots of a canceled build keep the state they had.
  build.frames = [{ ...frame, state: "canceled" }];
  build.at = 0;
  return { status: 200, json: buildJson(build) };
}

function listBuildChroots(server: CoprServer, { query }: Received): Reply {
  const build = buildOf(server, query.build_id);
  if (build === undefined) return notFound(`Build ${query.build_id} does not exist.`);
  const items = chrootsNow(build).map((name) => {
    const state = stateIn(build, name);
    const hasStarted = !["waiting", "pending"].includes(state);
    return {
      ...BUILD_CHROOT,
      name,
      state,
      started_on: hasStarted ? 1_700_000_300 : null,
      ended_on: hasEnded(build, name) ? 1_700_000_900 : null,
      result_url: hasStarted ? `${server.url}/results/${build.id}/${name}/` : null,
    };
  });
  return { status: 200, json: { items, meta: {} } };
}

function generateSecret(
  server: CoprServer,
  _it: Received,
  [owner, name]: readonly string[],
): Reply {
  const project = projectOf(server, owner, name);
  if (project === undefined) return notFound(`Project ${owner}/${name} does not exist.`);
  project.secret = randomUUID();
  const full_name = `${owner}/${name}`;
  return {
    status: 200,
    json: { id: project.id, name, ownername: owner, full_name, webhook_secret: project.secret },
  };
}

function getMonitor(server: CoprServer, { query }: Received): Reply {
  const key = `${query.ownername}/${query.projectname}`;
  const project = server.projects.get(key);
  if (project === undefined) return notFound(`Project ${key} does not exist.`);
  const newest = [...server.builds.values()].filter((it) => it.project === key).at(-1);
  const chroots = Object.fromEntries(
    (newest?.chroots ?? []).map((name) => [
      name,
      {
        state: stateIn(newest as StoredBuild, name),
        status: 1,
        build_id: newest?.id,
        pkg_version: "2.0.0-1",
        url_build_log: `${server.url}/results/${newest?.id}/${name}/builder-live.log.gz`,
      },
    ]),
  );
  const packages = [...project.packages.keys()].map((name) => ({ name, chroots }));
  return {
    status: 200,
    json: { output: "ok", message: "Project monitor request successful", packages },
  };
}

const isFinal = (state: string): boolean =>
  ["failed", "succeeded", "canceled", "skipped", "forked"].includes(state);

function stateIn(build: StoredBuild, where: string): string {
  const frame = build.frames[build.at];
  if (where === "source") return frame?.source ?? "unknown";
  const states = frame?.chroots ?? "waiting";
  return typeof states === "string" ? states : (states[where] ?? "waiting");
}

function hasEnded(build: StoredBuild, chroot: string): boolean {
  if (build.frames[build.at]?.isUndated === true) return false;
  return ["succeeded", "failed"].includes(stateIn(build, chroot));
}

function buildJson(build: StoredBuild): Json {
  const frame = build.frames[build.at];
  const [ownername, projectname] = build.project.split("/");
  // Source: `max_ended_on`. A chroot that never ended leaves the whole build without an end.
  const chroots = chrootsNow(build);
  const isOver = chroots.length > 0 && chroots.every((it) => hasEnded(build, it));
  const isPastSource = hasSourceRpm(build);
  return {
    ...BUILD,
    id: build.id,
    state: frame?.state,
    chroots,
    ownername,
    projectname,
    project_dirname: projectname,
    source_package: {
      name: build.packageName ?? (isPastSource ? "bootc" : null),
      version: isPastSource ? "2.0.0-1" : null,
      url: isPastSource ? "https://example.org/bootc-2.0.0-1.src.rpm" : null,
    },
    submitted_on: 1_700_000_000,
    started_on: isPastSource ? 1_700_000_300 : null,
    ended_on: isOver ? 1_700_000_900 : null,
    submitter: build.submitter,
    repo_url: "https://example.org/results/",
    is_background: false,
  };
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function parseMaybe(body: Buffer, type: string | undefined): unknown {
  return type?.startsWith("application/json") === true ? JSON.parse(body.toString()) : undefined;
}
