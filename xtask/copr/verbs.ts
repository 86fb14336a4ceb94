// The verbs of `xtask copr`: each connects to the server, does the work and returns the answer.
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { BootcError, doing } from "../../src/errors.ts";
import { parseCount } from "../count.ts";
import type { Tree } from "../task.ts";
import { cancelBuild, getBuild, getMonitor, listBuilds } from "./api.ts";
import { type Build, lastMoment, type Progress } from "./build/build-state.ts";
import { parseDuration } from "./build/duration.ts";
import { type LogName, lastLines, listLogPlaces, readLog } from "./build/logs.ts";
import { progressLines } from "./build/progress-table.ts";
import { type BuildSource, findBuildOf, startBuild } from "./build/start-build.ts";
import { alignColumns, formatDuration, formatTime } from "./build/table.ts";
import { readProgress, requireSuccess, watchBuild } from "./build/watch.ts";
import { type Connection, connect } from "./connection.ts";
import { applyChanges, describeChanges, readChanges } from "./project/apply.ts";
import { type ProjectFile, readProjectFile } from "./project/project-file.ts";

type Answer = Promise<string | undefined>;

export interface ServerFlags {
  readonly json?: boolean;
  readonly config?: string;
}

interface WatchFlags extends ServerFlags {
  readonly timeLimit?: string;
  readonly interval?: string;
}

interface SourceFlags {
  readonly commit?: string;
  /** `true` means: make one first. */
  readonly srpm?: string | true;
}

interface BuildFlags extends WatchFlags, SourceFlags {
  readonly chroot?: readonly string[];
  readonly reuse?: boolean;
  readonly background?: boolean;
  readonly wait?: boolean;
}

interface LogFlags extends ServerFlags {
  readonly chroot?: string;
  readonly log: string;
  readonly tail?: string;
}

/** Shorter intervals are impolite to a public server. */
const INTERVAL_MS_MIN = 5000;

export async function applyVerb(
  tree: Tree,
  options: ServerFlags & { readonly dryRun?: boolean },
): Answer {
  const { copr, file } = await open(tree, options, { needsToken: options.dryRun !== true });
  const changes = await readChanges(copr, file);
  for (const line of describeChanges(changes)) tree.ctx.note(line);
  if (changes.length === 0) tree.ctx.note(`${file.owner}/${file.project} matches already`);
  if (options.dryRun !== true) await applyChanges(copr, file, changes);
  const url = projectUrl(copr, file);
  const isChanged = options.dryRun !== true && changes.length > 0;
  return options.json === true ? formatJson({ url, isChanged, changes }) : url;
}

export async function buildVerb(tree: Tree, options: BuildFlags): Answer {
  const { copr, file } = await open(tree, options, { needsToken: true });
  const watching = watchOptions(tree, copr, options);
  const source = await chooseSource(tree, options);
  const chroots = options.chroot ?? [];
  const reused =
    options.reuse === true ? await findReusable({ copr, file }, source, chroots) : undefined;
  const started =
    reused ??
    (await startBuild(copr, file, {
      source,
      chroots,
      isBackground: options.background === true,
      terminal: tree.ctx.terminal,
    }));
  const verb = reused === undefined ? "started" : "found";
  tree.ctx.note(`${verb} build ${started.id}: ${buildUrl(copr, started.id)}`);
  if (options.wait !== true) {
    if (options.json === true) return formatJson({ ...started, url: buildUrl(copr, started.id) });
    tree.ctx.note(`watch it with: npm run xtask -- copr watch ${started.id}`);
    return String(started.id);
  }
  return await finish(tree, copr, { id: started.id, options, watching });
}

async function findReusable(
  { copr, file }: Opened,
  source: BuildSource,
  chroots: readonly string[],
): Promise<Build | undefined> {
  if (source.kind === "commit") return await findBuildOf(copr, file, source.committish, chroots);
  throw new BootcError("--reuse needs --commit", { kind: "usage" });
}

async function chooseSource(tree: Tree, options: SourceFlags): Promise<BuildSource> {
  if (options.srpm !== undefined && options.commit !== undefined) {
    throw new BootcError("--srpm and --commit exclude each other", { kind: "usage" });
  }
  if (options.commit !== undefined) return { kind: "commit", committish: options.commit };
  if (options.srpm === undefined) return { kind: "package" };
  if (options.srpm === true) return { kind: "srpm", path: await makeSourceRpm(tree) };
  const path = options.srpm;
  if (!/\.(src|nosrc)\.rpm$/.test(path)) {
    throw new BootcError(`\`${path}\` is not a source RPM`, {
      kind: "usage",
      hint: "the name of a source RPM ends in .src.rpm",
    });
  }
  if (existsSync(path)) return { kind: "srpm", path };
  throw new BootcError(`there is no file \`${path}\``, { kind: "usage" });
}

/** Makes the source RPM of this checkout, like `xtask package-srpm`. */
async function makeSourceRpm(tree: Tree): Promise<string> {
  const { packageSrpm, readPackagedCheckout } = await import("../package-srpm.ts");
  return await doing("`xtask package-srpm`", async () =>
    resolve(tree.top, await packageSrpm(tree, await readPackagedCheckout(tree, {}))),
  );
}

export async function watchVerb(tree: Tree, options: WatchFlags, words: readonly string[]): Answer {
  const { copr, file } = await open(tree, options, { needsToken: false });
  const watching = watchOptions(tree, copr, options);
  const { id } = await chooseBuild(copr, file, words[0]);
  return await finish(tree, copr, { id, options, watching });
}

interface Finish {
  readonly id: number;
  readonly options: ServerFlags;
  readonly watching: Parameters<typeof watchBuild>[2];
}

async function finish(tree: Tree, copr: Connection, what: Finish): Answer {
  const progress = await watchBuild(copr, what.id, what.watching);
  // A failed build also gets its answer, because scripts want to know which chroot failed.
  const answer = describeProgress(copr, progress, what.options);
  if (what.options.json === true) tree.ctx.say(answer);
  requireSuccess(progress);
  return what.options.json === true ? undefined : answer;
}

export async function statusVerb(
  tree: Tree,
  options: ServerFlags & { readonly limit: string },
  words: readonly string[],
): Answer {
  const { copr, file } = await open(tree, options, { needsToken: false });
  if (words[0] !== undefined) {
    const progress = await readProgress(copr, parseBuildId(words[0]));
    if (options.json === true) return describeProgress(copr, progress, options);
    const wide = { columns: Number.POSITIVE_INFINITY, hasColor: false };
    return progressLines(progress, copr.clock.now() / 1000, wide).join("\n");
  }
  const limit = parseCount("--limit", options.limit);
  const builds = await listBuilds(copr, { owner: file.owner, project: file.project, limit });
  if (options.json === true) return formatJson(builds);
  return alignColumns([
    ["BUILD", "STATE", "VERSION", "SUBMITTED", "TIME"],
    ...builds.map((it) => rowOf(it, copr.clock.now() / 1000)),
  ]).join("\n");
}

function rowOf(build: Build, nowEpoch: number): readonly string[] {
  return [
    String(build.id),
    build.state,
    build.packageVersion ?? "",
    formatTime(build.submittedOn),
    formatDuration(build.submittedOn, lastMoment(build, nowEpoch)),
  ];
}

export async function logsVerb(tree: Tree, options: LogFlags, words: readonly string[]): Answer {
  const { copr, file } = await open(tree, options, { needsToken: false });
  const name = parseLogName(options.log);
  const tail = options.tail === undefined ? undefined : parseCount("--tail", options.tail);
  const build = await chooseBuild(copr, file, words[0]);
  const all = await listLogPlaces(copr, build);
  const places = all.filter((it) => options.chroot === undefined || it.where === options.chroot);
  if (places.length === 0) {
    throw new BootcError(`build ${build.id} has no chroot \`${options.chroot}\``, {
      kind: "usage",
      hint: `choose from ${all.map((it) => it.where).join(", ")}`,
    });
  }
  const found: { where: string; url: string | undefined; text: string }[] = [];
  for (const place of places) {
    const text = await readLog(copr, place, name);
    if (text === undefined) tree.ctx.note(`${place.where}: there is no ${name} log yet`);
    else {
      const shown = tail === undefined ? text.trimEnd() : lastLines(text, tail).join("\n");
      found.push({ where: place.where, url: place.resultUrl, text: shown });
    }
  }
  if (options.json === true) return formatJson(found);
  const header = (where: string) => (found.length > 1 ? `==> ${where} <==\n` : "");
  return found.map((it) => `${header(it.where)}${it.text}`).join("\n\n");
}

export async function cancelVerb(
  tree: Tree,
  options: ServerFlags,
  words: readonly string[],
): Answer {
  const { copr } = await open(tree, options, { needsToken: true });
  const id = parseBuildId(words[0] ?? "");
  const canceled = await cancelBuild(copr, id);
  return options.json === true ? formatJson(canceled) : `build ${id}: ${canceled.state}`;
}

export async function monitorVerb(tree: Tree, options: ServerFlags): Answer {
  const { copr, file } = await open(tree, options, { needsToken: false });
  const rows = await getMonitor(copr, file);
  if (options.json === true) return formatJson(rows);
  return alignColumns([
    ["PACKAGE", "CHROOT", "STATE", "BUILD", "VERSION"],
    ...rows.map((it) => [
      it.packageName,
      it.chroot,
      it.state,
      it.buildId === undefined ? "" : String(it.buildId),
      it.version ?? "",
    ]),
  ]).join("\n");
}

export interface Opened {
  readonly copr: Connection;
  readonly file: ProjectFile;
}

/** Reads the project file, then connects to its server, so that a mistake in the file costs no request. */
export async function open(
  tree: Tree,
  { config }: ServerFlags,
  { needsToken }: { readonly needsToken: boolean },
): Promise<Opened> {
  const file = await readProjectFile(tree.top, tree.ctx.env.COPR_PROJECT_FILE);
  return { file, copr: await connect(tree, { config, server: file.copr, needsToken }) };
}

function watchOptions(tree: Tree, copr: Connection, { timeLimit, interval }: WatchFlags) {
  return {
    terminal: tree.ctx.terminal,
    timeLimitMs: timeLimit === undefined ? undefined : parseDuration(timeLimit, "--time-limit"),
    intervalMs: parseInterval(copr, interval),
  };
}

export function parseInterval(copr: Connection, interval: string | undefined): number | undefined {
  if (interval === undefined) return undefined;
  const milliseconds = parseDuration(interval, "--interval");
  const isLocal = /^https?:\/\/(127\.|localhost|\[::1\])/.test(copr.url);
  if (isLocal || milliseconds >= INTERVAL_MS_MIN) return milliseconds;
  throw new BootcError(
    `--interval: less than 5 s between two requests would burden \`${copr.url}\``,
    {
      kind: "usage",
    },
  );
}

async function chooseBuild(
  copr: Connection,
  file: ProjectFile,
  word: string | undefined,
): Promise<Build> {
  if (word !== undefined) return await getBuild(copr, parseBuildId(word));
  const [newest] = await listBuilds(copr, { owner: file.owner, project: file.project, limit: 1 });
  if (newest !== undefined) return newest;
  throw new BootcError(`\`${file.owner}/${file.project}\` has no builds`, {
    hint: "start one with: npm run xtask -- copr build",
  });
}

function parseBuildId(word: string): number {
  // People also paste the address of the build's page.
  const digits = /^(?:https?:\/\/.*\/build\/)?(\d{1,12})\/?$/.exec(word)?.[1];
  if (digits !== undefined) return Number(digits);
  throw new BootcError(`\`${word}\` is not the number of a build`, { kind: "usage" });
}

function parseLogName(text: string): LogName {
  if (text === "builder-live" || text === "backend") return text;
  throw new BootcError(`there is no log \`${text}\``, {
    kind: "usage",
    hint: "choose builder-live or backend",
  });
}

function describeProgress(copr: Connection, progress: Progress, options: ServerFlags): string {
  const url = buildUrl(copr, progress.build.id);
  if (options.json !== true) return `build ${progress.build.id} ${progress.build.state}: ${url}`;
  const { build: it, source, chroots } = progress;
  return formatJson({ ...it, url, source: source ?? null, chroots });
}

function formatJson(value: unknown): string {
  return JSON.stringify(value, undefined, 2);
}

export function projectUrl({ url }: Connection, { owner, project }: ProjectFile): string {
  return `${url}/coprs/${owner.startsWith("@") ? `g/${owner.slice(1)}` : owner}/${project}/`;
}

function buildUrl({ url }: Connection, id: number): string {
  return `${url}/coprs/build/${id}`;
}
