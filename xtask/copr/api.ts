// A function for each call of COPR's API v3 that we make. Source: the frontend at 5d37cd8
// (2026-08-07), /api_3/swagger.json, and the answers of a frontend that we ran from that tree.
import { BootcError } from "../../src/errors.ts";
import {
  type Build,
  type BuildChroot,
  type BuildState,
  parseState,
  type SourceBuild,
} from "./build/build-state.ts";
import { type Answer, type Connection, call, isRecord } from "./connection.ts";

type Json = Readonly<Record<string, unknown>>;

export interface ProjectName {
  readonly owner: string;
  readonly project: string;
}

/** A project as the server describes it; `undefined` if it does not exist. */
export async function getProject(copr: Connection, name: ProjectName): Promise<Json | undefined> {
  const answer = await call(copr, {
    method: "GET",
    path: "/project/",
    query: { ownername: name.owner, projectname: name.project },
    acceptStatuses: [404],
    subject: `project ${name.owner}/${name.project}`,
  });
  return answer.status === 404 ? undefined : requireRecord(answer, "a project");
}

/** The answer lists the chroots of a project as the keys of their repositories. */
export function chrootsOf(project: Json): readonly string[] {
  return isRecord(project.chroot_repos) ? Object.keys(project.chroot_repos) : [];
}

/** The chroots that are switched on in a project. */
export async function listProjectChroots(
  copr: Connection,
  name: ProjectName,
): Promise<readonly string[]> {
  return chrootsOf((await getProject(copr, name)) ?? {});
}

export async function addProject(copr: Connection, owner: string, json: Json): Promise<Json> {
  const answer = await call(copr, {
    method: "POST",
    path: `/project/add/${encodeURIComponent(owner)}`,
    // The server accepts only this spelling.
    query: { exist_ok: "True" },
    json,
    isRepeatable: true,
    subject: `project ${owner}/${String(json.name)}`,
  });
  return requireRecord(answer, "a project");
}

export async function editProject(copr: Connection, name: ProjectName, json: Json): Promise<void> {
  await call(copr, {
    method: "PUT",
    path: `/project/edit/${encodeURIComponent(name.owner)}/${encodeURIComponent(name.project)}`,
    json,
    isRepeatable: true,
    subject: `project ${name.owner}/${name.project}`,
  });
}

export async function getPackage(
  copr: Connection,
  project: ProjectName,
  name: string,
): Promise<Json | undefined> {
  const answer = await call(copr, {
    method: "GET",
    path: "/package/",
    query: { ownername: project.owner, projectname: project.project, packagename: name },
    acceptStatuses: [404],
    subject: `package ${name}`,
  });
  return answer.status === 404 ? undefined : requireRecord(answer, "a package");
}

export async function putPackage(
  copr: Connection,
  name: ProjectName,
  { verb, json }: { readonly verb: "add" | "edit"; readonly json: Json },
): Promise<void> {
  const names = [name.owner, name.project, String(json.package_name)].map(encodeURIComponent);
  await call(copr, {
    method: "POST",
    path: `/package/${verb}/${names.join("/")}/scm`,
    json,
    isRepeatable: true,
    // If the answer to an addition was lost and it is repeated, the package exists, which is all we want.
    acceptStatuses: verb === "add" ? [409] : [],
    subject: `package ${String(json.package_name)}`,
  });
}

/** The chroots the server offers, by name. */
export async function listMockChroots(copr: Connection): Promise<readonly string[]> {
  const answer = await call(copr, {
    method: "GET",
    path: "/mock-chroots/list",
    subject: "the list of chroots",
  });
  return Object.keys(requireRecord(answer, "a list of chroots"));
}

export async function getBuild(copr: Connection, id: number): Promise<Build> {
  const answer = await call(copr, { method: "GET", path: `/build/${id}`, subject: `build ${id}` });
  return parseBuild(answer.json);
}

export interface ListBuilds extends ProjectName {
  readonly packageName?: string;
  readonly limit: number;
}

/** The newest builds first. A page has at most 100, so more are read page by page. */
export async function listBuilds(copr: Connection, wanted: ListBuilds): Promise<readonly Build[]> {
  const builds: Build[] = [];
  for (;;) {
    const limit = Math.min(100, wanted.limit - builds.length);
    const answer = await call(copr, {
      method: "GET",
      path: "/build/list",
      query: {
        ownername: wanted.owner,
        projectname: wanted.project,
        packagename: wanted.packageName,
        limit,
        offset: builds.length,
        order: "id",
        order_type: "DESC",
      },
      subject: `builds of ${wanted.owner}/${wanted.project}`,
    });
    const page = requireItems(answer, "a list of builds").map(parseBuild);
    builds.push(...page);
    if (page.length < limit || builds.length >= wanted.limit) return builds;
  }
}

export async function listBuildChroots(
  copr: Connection,
  id: number,
): Promise<readonly BuildChroot[]> {
  const answer = await call(copr, {
    method: "GET",
    path: "/build-chroot/list",
    query: { build_id: id },
    subject: `chroots of build ${id}`,
  });
  const chroots = requireItems(answer, "a list of chroots").map(parseBuildChroot);
  return chroots.toSorted((a, b) => a.name.localeCompare(b.name));
}

/**
 * The build of the source RPM. Before it runs, the server answers 500 and logs an error, so do not ask while
 * the build is pending or starting.
 */
export async function getSourceBuild(
  copr: Connection,
  id: number,
): Promise<SourceBuild | undefined> {
  const answer = await call(copr, {
    method: "GET",
    path: `/build/source-chroot/${id}`,
    acceptStatuses: [500],
    subject: `the source RPM of build ${id}`,
  });
  if (answer.status === 500) return undefined;
  const json = requireRecord(answer, "a source build");
  return { state: parseState(json.state), resultUrl: textOf(json.result_url) };
}

/** What a build from git was told to build. */
export interface GitSource {
  readonly committish: string;
  readonly cloneUrl: string | undefined;
  readonly subdirectory: string | undefined;
  readonly spec: string | undefined;
}

/** `undefined` for a build that is not from git, such as an upload. */
export async function getGitSource(copr: Connection, id: number): Promise<GitSource | undefined> {
  const answer = await call(copr, {
    method: "GET",
    path: `/build/source-build-config/${id}`,
    subject: `the source of build ${id}`,
  });
  const json = requireRecord(answer, "the source of a build");
  const source = isRecord(json.source_dict) ? json.source_dict : {};
  const committish = textOf(source.committish);
  if (committish === undefined) return undefined;
  return {
    committish,
    cloneUrl: textOf(source.clone_url),
    subdirectory: textOf(source.subdirectory),
    spec: textOf(source.spec),
  };
}

export async function cancelBuild(copr: Connection, id: number): Promise<Build> {
  const answer = await call(copr, {
    method: "PUT",
    path: `/build/cancel/${id}`,
    subject: `build ${id}`,
  });
  return parseBuild(answer.json);
}

export interface WebhookSecret {
  readonly projectId: number;
  readonly secret: string;
}

/** Makes a new secret. The old one stops working at once. */
export async function generateWebhookSecret(
  copr: Connection,
  name: ProjectName,
): Promise<WebhookSecret> {
  const answer = await call(copr, {
    method: "POST",
    path: `/webhook/generate/${encodeURIComponent(name.owner)}/${encodeURIComponent(name.project)}`,
    isRepeatable: true,
    subject: `webhook of ${name.owner}/${name.project}`,
  });
  const json = requireRecord(answer, "a webhook secret");
  const secret = textOf(json.webhook_secret);
  if (secret === undefined) throw malformed("a webhook secret");
  return { projectId: numberOf(json.id, "a webhook secret"), secret };
}

/** Fails if the server would refuse a build, for example because a chroot is not enabled. */
export async function checkBeforeBuild(
  copr: Connection,
  name: ProjectName,
  chroots: readonly string[],
): Promise<void> {
  await call(copr, {
    method: "POST",
    path: "/build/check-before-build",
    json: { ownername: name.owner, projectname: name.project, chroots },
    isRepeatable: true,
    subject: `builds in ${name.owner}/${name.project}`,
  });
}

/** Starts a build; `path` is `/package/build` or `/build/create/scm`. */
export async function createBuild(copr: Connection, path: string, json: Json): Promise<Build> {
  const answer = await call(copr, { method: "POST", path, json, subject: "starting a build" });
  return parseBuild(answer.json);
}

export interface MonitorRow {
  readonly packageName: string;
  readonly chroot: string;
  readonly state: string;
  readonly buildId: number | undefined;
  readonly version: string | undefined;
  readonly logUrl: string | undefined;
}

/** The newest build of every package in every chroot. */
export async function getMonitor(
  copr: Connection,
  name: ProjectName,
): Promise<readonly MonitorRow[]> {
  const answer = await call(copr, {
    method: "GET",
    path: "/monitor",
    query: {
      ownername: name.owner,
      projectname: name.project,
      "additional_fields[]": "url_build_log",
    },
    subject: `project ${name.owner}/${name.project}`,
  });
  const json = requireRecord(answer, "a monitor");
  if (!Array.isArray(json.packages)) throw malformed("a monitor");
  return json.packages.flatMap(parseMonitorPackage);
}

function parseMonitorPackage(value: unknown): readonly MonitorRow[] {
  if (!isRecord(value) || !isRecord(value.chroots)) throw malformed("a monitor");
  return Object.entries(value.chroots).map(([chroot, it]) => {
    if (!isRecord(it)) throw malformed("a monitor");
    return {
      packageName: textOf(value.name) ?? "",
      chroot,
      state: textOf(it.state) ?? "unknown",
      buildId: typeof it.build_id === "number" ? it.build_id : undefined,
      version: textOf(it.pkg_version),
      logUrl: textOf(it.url_build_log),
    };
  });
}

export function parseBuild(value: unknown): Build {
  if (!isRecord(value)) throw malformed("a build");
  const source = isRecord(value.source_package) ? value.source_package : {};
  const chroots = Array.isArray(value.chroots) ? value.chroots.map(String) : [];
  return {
    id: numberOf(value.id, "a build"),
    state: stateOf(value.state, "a build"),
    chroots,
    packageName: textOf(source.name),
    packageVersion: textOf(source.version),
    ownername: textOf(value.ownername) ?? "",
    projectname: textOf(value.projectname) ?? "",
    submittedOn: epochOf(value.submitted_on),
    startedOn: epochOf(value.started_on),
    endedOn: epochOf(value.ended_on),
    submitter: textOf(value.submitter),
  };
}

function parseBuildChroot(value: unknown): BuildChroot {
  if (!isRecord(value) || typeof value.name !== "string") throw malformed("a chroot");
  return {
    name: value.name,
    state: stateOf(value.state, "a chroot"),
    startedOn: epochOf(value.started_on),
    endedOn: epochOf(value.ended_on),
    resultUrl: textOf(value.result_url),
  };
}

function stateOf(value: unknown, what: string): BuildState {
  if (typeof value !== "string") throw malformed(what);
  return parseState(value);
}

function requireRecord({ json }: Answer, what: string): Json {
  if (isRecord(json)) return json;
  throw malformed(what);
}

function requireItems({ json }: Answer, what: string): readonly unknown[] {
  if (isRecord(json) && Array.isArray(json.items)) return json.items;
  throw malformed(what);
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function epochOf(value: unknown): number | undefined {
  return typeof value === "number" ? value : undefined;
}

function numberOf(value: unknown, what: string): number {
  if (typeof value === "number" && Number.isSafeInteger(value)) return value;
  throw malformed(what);
}

function malformed(what: string): BootcError {
  return new BootcError(`the server's answer does not describe ${what}`, {
    kind: "network",
    hint: "is `copr_url` in the token file the address of a COPR server of this year?",
  });
}
