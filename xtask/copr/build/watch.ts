// Watches a build to its end: polls politely, and shows a live table or, without a terminal, each change.
import { BootcError, kindOf, messageOf } from "../../../src/errors.ts";
import type { Terminal } from "../../../src/system/context.ts";
import type { Clock } from "../../remote/clock.ts";
import { asksForPatience } from "../../remote/http.ts";
import { getBuild, getSourceBuild, listBuildChroots } from "../api.ts";
import type { Connection } from "../connection.ts";
import {
  type BuildState,
  describePhase,
  hasFailedImport,
  isFinal,
  isSuccess,
  type Progress,
  type SourceBuild,
  stateOfChroot,
} from "./build-state.ts";
import { type LogPlace, lastLines, logUrl, readLog } from "./logs.ts";
import { progressLines } from "./progress-table.ts";

export interface WatchBuildOptions {
  readonly terminal: Terminal;
  /** Milliseconds after which we stop watching, even if the build is not over. */
  readonly timeLimitMs?: number | undefined;
  /** Milliseconds between two requests; by default, this depends on how long we have watched. */
  readonly intervalMs?: number | undefined;
}

/** How long the server may be unavailable before we give up. */
const OUTAGE_MS = 15 * 60_000;
const TAIL_LINES = 30;

/**
 * Watches build `id` until it is over. Fails with kind `queued` if the time is up or the user stops watching,
 * and with `failed` if the build failed or was canceled.
 */
export async function watchBuild(
  copr: Connection,
  id: number,
  options: WatchBuildOptions,
): Promise<Progress> {
  const screen = openScreen(copr, options.terminal);
  const note = (line: string) => {
    screen.leave();
    copr.note(line);
  };
  try {
    return await follow({ ...copr, note }, id, { ...options, screen, told: new Set() });
  } catch (error) {
    if (copr.signal.aborted) throw stoppedWatching(id, "interrupted");
    throw error;
  }
}

interface Following extends WatchBuildOptions {
  readonly screen: Screen;
  /** The places whose logs have been shown. */
  readonly told: Set<string>;
}

async function follow(copr: Connection, id: number, options: Following): Promise<Progress> {
  const startedMs = copr.clock.now();
  let answeredMs = startedMs;
  let last: Progress | undefined;
  const endMs = startedMs + (options.timeLimitMs ?? Number.POSITIVE_INFINITY);
  const patient = { ...copr, clock: clockUntil(copr.clock, { endMs, id, startedMs }) };
  for (;;) {
    const progress = await readPatiently(patient, { id, last, answeredMs });
    const nowMs = copr.clock.now();
    if (progress !== undefined) {
      answeredMs = nowMs;
      options.screen.show(progress);
      await reportFailures(patient, progress, options.told);
      if (isFinal(progress.build.state)) return progress;
      last = progress;
    }
    const pauseMs = options.intervalMs ?? decidePause(nowMs - startedMs, copr.clock.random());
    const leftMs = endMs - copr.clock.now();
    if (leftMs <= 0) throw timeIsUp(id, nowMs - startedMs);
    await copr.clock.pause(Math.min(pauseMs, leftMs), copr.signal);
  }
}

/** Applies the time limit also while a request waits for a server in trouble. */
function clockUntil(
  clock: Clock,
  watch: { readonly endMs: number; readonly id: number; readonly startedMs: number },
): Clock {
  return {
    ...clock,
    async pause(milliseconds, signal) {
      const leftMs = Math.max(0, watch.endMs - clock.now());
      await clock.pause(Math.min(milliseconds, leftMs), signal);
      if (leftMs <= milliseconds) throw timeIsUp(watch.id, clock.now() - watch.startedMs);
    },
  };
}

/** Short in the first minute, then half a minute; random, so that clients do not act in step. */
export function decidePause(watchedMs: number, random: number): number {
  return (watchedMs < 60_000 ? 10_000 : 30_000) * (0.8 + 0.4 * random);
}

interface Look {
  readonly id: number;
  readonly last: Progress | undefined;
  readonly answeredMs: number;
}

/** Continues watching while the server has trouble, unless that lasts too long. */
async function readPatiently(copr: Connection, look: Look): Promise<Progress | undefined> {
  try {
    return await readProgress(copr, look.id, look.last);
  } catch (error) {
    copr.signal.throwIfAborted();
    const isFirstLook = look.last === undefined;
    const isLongAway = copr.clock.now() - look.answeredMs > OUTAGE_MS;
    const mayAskAgain = kindOf(error) === "network" && !asksForPatience(error);
    if (!mayAskAgain || isFirstLook || isLongAway) throw error;
    copr.note(`${messageOf(error)}; still watching`);
    return undefined;
  }
}

/** Everything about a build. Asks only questions whose answers can have changed. */
export async function readProgress(
  copr: Connection,
  id: number,
  last?: Progress,
): Promise<Progress> {
  const build = await getBuild(copr, id);
  const source = await readSource(copr, { id, state: build.state, last: last?.source });
  // In this phase, nothing can happen to chroots that are already known.
  const isBuildingSource = build.state === "running" && source?.state === "running";
  const chroots =
    isBuildingSource && last !== undefined ? last.chroots : await listBuildChroots(copr, id);
  return { build, source, chroots };
}

/** States in which the server may not know the source build yet; asking makes it fail and log an error. */
const WITHOUT_SOURCE: readonly BuildState[] = ["pending", "starting", "canceled"];

async function readSource(
  copr: Connection,
  watch: {
    readonly id: number;
    readonly state: BuildState;
    readonly last: SourceBuild | undefined;
  },
): Promise<SourceBuild | undefined> {
  const isKnown = watch.last !== undefined && isFinal(watch.last.state);
  return isKnown || WITHOUT_SOURCE.includes(watch.state)
    ? watch.last
    : await getSourceBuild(copr, watch.id);
}

/** Shows the end of a log as soon as its chroot has failed, because others may take hours. */
async function reportFailures(
  copr: Connection,
  progress: Progress,
  told: Set<string>,
): Promise<void> {
  for (const place of failedPlaces(progress).filter((it) => !told.has(it.where))) {
    const lines = await describeFailure(copr, place);
    // The log may take a moment to appear.
    if (lines === undefined && !isFinal(progress.build.state)) continue;
    told.add(place.where);
    for (const line of lines ?? [`${place.where}: there is no log`]) copr.note(line);
  }
}

/** The end of a log; `undefined` while it does not exist. A log host in trouble does not end the watch. */
async function describeFailure(
  copr: Connection,
  place: LogPlace,
): Promise<readonly string[] | undefined> {
  try {
    const text = await readLog(copr, place, "builder-live");
    if (text === undefined) return undefined;
    const head = `--- ${place.where}: the last lines of ${logUrl(place, "builder-live")}.gz`;
    return [head, ...lastLines(text, TAIL_LINES)];
  } catch (error) {
    copr.signal.throwIfAborted();
    if (kindOf(error) === "queued") throw error;
    return [`${place.where}: no log: ${messageOf(error)}`];
  }
}

/** The places of the logs that have the reason. The log of a failed import is only on the server's page. */
function failedPlaces({ build, source, chroots }: Progress): readonly LogPlace[] {
  if (hasFailedImport({ build, source })) return [];
  if (source?.state === "failed") return [{ where: "source", resultUrl: source.resultUrl }];
  return chroots
    .filter((it) => stateOfChroot(build, it) === "failed")
    .map((it) => ({ where: it.name, resultUrl: it.resultUrl }));
}

/** Fails with the reason if the build did not succeed. */
export function requireSuccess(progress: Progress): void {
  const { build } = progress;
  if (isSuccess(build.state)) return;
  if (hasFailedImport(progress)) {
    throw new BootcError(`build ${build.id} failed in the import into COPR's dist-git`, {
      hint: `the build's page links to the log of the import: /coprs/build/${build.id}`,
    });
  }
  const places = failedPlaces(progress).map((it) =>
    it.where === "source" ? "the source RPM" : it.where,
  );
  const where = places.length > 0 ? ` in ${places.join(", ")}` : "";
  throw new BootcError(`build ${build.id} ${build.state}${where}`, {
    hint: `read its logs with: npm run xtask -- copr logs ${build.id}`,
  });
}

function timeIsUp(id: number, watchedMs: number): BootcError {
  return stoppedWatching(id, `not over after ${describeMs(watchedMs)}`);
}

function stoppedWatching(id: number, why: string): BootcError {
  return new BootcError(`stopped watching build ${id}, which continues: ${why}`, {
    kind: "queued",
    hint:
      `watch it again with: npm run xtask -- copr watch ${id}; ` +
      `end it with: npm run xtask -- copr cancel ${id}`,
  });
}

function describeMs(milliseconds: number): string {
  const minutes = milliseconds / 60_000;
  return minutes < 2 ? `${Math.round(milliseconds / 1000)} s` : `${Math.round(minutes)} min`;
}

interface Screen {
  show(progress: Progress): void;
  /** Keeps what was drawn, because something else will be written. */
  leave(): void;
}

function openScreen(copr: Connection, terminal: Terminal): Screen {
  return terminal.isStderrTerminal ? liveTable(copr, terminal) : linePerChange(copr);
}

/** Draws over the previous table. */
function liveTable(copr: Connection, terminal: Terminal): Screen {
  let drawn = 0;
  return {
    show(progress) {
      const lines = progressLines(progress, copr.clock.now() / 1000, terminal);
      const back = drawn === 0 ? "" : `\u001b[${drawn}A\u001b[J`;
      copr.note(`${back}${lines.join("\n")}`);
      drawn = lines.length;
    },
    leave: () => {
      drawn = 0;
    },
  };
}

function linePerChange(copr: Connection): Screen {
  const said = new Map<string, string>();
  const sayOnce = (what: string, state: string) => {
    if (said.get(what) === state) return;
    said.set(what, state);
    const time = new Date(copr.clock.now()).toISOString().slice(11, 19);
    copr.note(`${time} ${what}: ${state}`);
  };
  return {
    show(progress) {
      sayOnce(`build ${progress.build.id}`, describePhase(progress));
      for (const chroot of progress.chroots) {
        sayOnce(chroot.name, stateOfChroot(progress.build, chroot));
      }
    },
    leave: () => undefined,
  };
}
