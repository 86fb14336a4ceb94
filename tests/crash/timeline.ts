// A recording as a picture: every write by its order and its place on the disk, the flushes, the phases, and the names
// on the disk that are new after a flush.
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { readNamesIfAny } from "../../src/system/files.ts";
import type { DiskLog, Interval } from "./disk-log.ts";
import { openDiskStates } from "./disk-states.ts";
import { mountDisk } from "./file-systems.ts";
import { type Made, type Mark, placeOf, recordingPaths } from "./recording-file.ts";
import { listStates } from "./states.ts";

/** Names, and the interval after which each is there. */
export interface Appearance {
  readonly name: string;
  readonly interval: number;
}

/** Looks at the disk as of each flush. */
export async function findAppearances(
  { name, layout }: Made,
  { log, work }: { readonly log: DiskLog; readonly work: string },
): Promise<readonly Appearance[]> {
  const { base } = recordingPaths(name);
  const disks = await openDiskStates({ base, log, work });
  const [disk, root] = [join(work, "state.img"), join(work, "root")];
  await mkdir(root);
  const seen = new Set<string>();
  const found: Appearance[] = [];
  for (const state of listStates(log.intervals).filter((it) => it.kind === "flushed")) {
    await disks.make(state, disk);
    const unmount = await mountDisk(disk, layout, root);
    const names = await listNames(root).finally(unmount);
    for (const it of names.filter((name) => !seen.has(name))) {
      seen.add(it);
      if (state.interval > 0) found.push({ name: it, interval: state.interval });
    }
  }
  await disks.close();
  return found;
}

/** What a pull and a deployment make visible. */
async function listNames(root: string): Promise<readonly string[]> {
  const below = async (dir: string, label: string) =>
    (await readNamesIfAny(join(root, dir))).map((it) => `${label}${shorten(it)}`);
  const heads = join(root, "ostree/repo/refs/heads");
  const refs = await readdir(heads, { recursive: true, withFileTypes: true });
  const entries = (await readNamesIfAny(join(root, "boot")))
    .filter((it) => it.startsWith("loader"))
    .map((it) => below(`boot/${it}/entries`, `boot/${it}/`));
  return [
    ...refs.filter((it) => it.isFile()).map((it) => `ref ${describeRef(it.parentPath, heads)}`),
    ...(await below("ostree/deploy/default/deploy", "deployment ")),
    ...(await below("ostree/boot.0/default", "ostree/boot.0/")),
    ...(await below("ostree/boot.1/default", "ostree/boot.1/")),
    ...(await below("boot/ostree", "boot/ostree/")),
    ...(await Promise.all(entries)).flat(),
  ];
}

const shorten = (name: string) => name.replace(/([0-9a-f]{4})[0-9a-f]{56,}/, "$1…");
const describeRef = (dir: string, heads: string) => dir.slice(heads.length + 1);

const WIDTH = 1000;
const LEFT = 70;
const TOP = 40;
const PLOT = 300;
const ROW = 15;

export interface Timeline {
  readonly title: string;
  readonly intervals: readonly Interval[];
  readonly marks: readonly Mark[];
  readonly appearances: readonly Appearance[];
}

export function drawTimeline(it: Timeline): string {
  const starts = startsOf(it.intervals);
  const total = starts.at(-1) ?? 1;
  const x = (order: number) => LEFT + ((WIDTH - LEFT - 10) * order) / Math.max(total, 1);
  const y = placesOf(it.intervals);
  const rows = groupByInterval(it.appearances);
  const height = TOP + PLOT + 30 + rows.length * ROW;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="11">`,
    `<title>${it.title}</title>`,
    '<rect width="100%" height="100%" fill="#fff"/>',
    ...drawPhases(it, starts, x),
    ...it.intervals.map((_, i) => drawFlush(x(starts[i + 1] ?? total))),
    ...it.intervals.flatMap(({ writes }, i) =>
      writes.map(({ at, bytes }, k) => {
        const size = Math.max(1.5, y(at + bytes - 1) - y(at)).toFixed(1);
        const left = x((starts[i] ?? 0) + k).toFixed(1);
        return `<rect x="${left}" y="${y(at).toFixed(1)}" width="1.5" height="${size}" fill="#1f4e79"/>`;
      }),
    ),
    `<text x="4" y="${TOP + 10}">start</text>`,
    `<text x="4" y="${TOP + PLOT}">end of disk</text>`,
    ...rows.flatMap(({ interval, names }, row) => {
      const at = x(starts[interval + 1] ?? total);
      return drawNames(at, TOP + PLOT + 30 + row * ROW, names);
    }),
    "</svg>",
    "",
  ].join("\n");
}

const REGION = 1 << 20;

/** The height of a place on the disk; regions to which nothing is written are left out. */
function placesOf(intervals: readonly Interval[]): (byte: number) => number {
  const writes = intervals.flatMap((it) => it.writes);
  const regions = [
    ...new Set(
      writes.flatMap(({ at, bytes }) => {
        const [first, last] = [at, at + bytes - 1].map((it) => Math.floor(it / REGION));
        return Array.from({ length: (last ?? 0) - (first ?? 0) + 1 }, (_, i) => (first ?? 0) + i);
      }),
    ),
  ].sort((a, b) => a - b);
  const ranks = new Map(regions.map((it, rank) => [it, rank]));
  return (byte) => {
    const rank = ranks.get(Math.floor(byte / REGION)) ?? 0;
    return TOP + (PLOT * (rank + (byte % REGION) / REGION)) / regions.length;
  };
}

/** The order of the first write of each interval, and of the end. */
function startsOf(intervals: readonly Interval[]): readonly number[] {
  const starts = [0];
  for (const { writes } of intervals) starts.push((starts.at(-1) ?? 0) + writes.length);
  return starts;
}

function drawPhases(
  { intervals, marks }: Timeline,
  starts: readonly number[],
  x: (order: number) => number,
): readonly string[] {
  const phases = intervals.map((it) => placeOf(marks, it).phase);
  return [...new Set(phases)].flatMap((phase, i) => {
    const from = x(starts[phases.indexOf(phase)] ?? 0);
    const to = x(starts[phases.lastIndexOf(phase) + 1] ?? 0);
    const fill = i % 2 === 0 ? "#f3f3ee" : "#e6ecf2";
    const place = `x="${from.toFixed(1)}" width="${(to - from).toFixed(1)}"`;
    return [
      `<rect ${place} y="${TOP}" height="${PLOT}" fill="${fill}"/>`,
      `<text x="${(from + 2).toFixed(1)}" y="${TOP - 6 - (i % 2) * 12}">${phase}</text>`,
    ];
  });
}

function drawFlush(at: number): string {
  const place = `x1="${at.toFixed(1)}" x2="${at.toFixed(1)}" y1="${TOP}" y2="${TOP + PLOT}"`;
  return `<line ${place} stroke="#c0392b" stroke-width="0.4"/>`;
}

function drawNames(at: number, y: number, names: string): readonly string[] {
  const isRight = at > WIDTH / 2;
  const anchor = isRight ? "end" : "start";
  const text = (isRight ? at - 4 : at + 4).toFixed(1);
  const line = `x1="${at.toFixed(1)}" x2="${at.toFixed(1)}" y1="${TOP + PLOT}" y2="${y}"`;
  return [
    `<line ${line} stroke="#888" stroke-width="0.6"/>`,
    `<text x="${text}" y="${y}" text-anchor="${anchor}">${names}</text>`,
  ];
}

function groupByInterval(appearances: readonly Appearance[]) {
  const groups = Map.groupBy(appearances, (it) => it.interval);
  return [...groups].map(([interval, some]) => ({
    interval,
    names: [...new Set(some.map((it) => it.name))].join(", ").slice(0, 130),
  }));
}
