// The kernel's trace of what is read from loop devices and written to them.
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { mkdir, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { attempt, sh } from "../vm/shell.ts";
import { SECTOR } from "./sectors.ts";

/** Sectors of a disk. */
export interface Traced {
  /** Those that were read before anything was written to them. */
  readonly read: ReadonlySet<number>;
  readonly written: ReadonlySet<number>;
}

export interface BlockTrace {
  /** What happened since the last call; undefined if a part of it is lost. */
  take(): Traced | undefined;
  end(): Promise<void>;
}

/** A device, and where on the disk it begins. */
export interface TracedDevice {
  readonly device: string;
  readonly offset: number;
}

/** Where the kernel's tracing is mounted; undefined if this machine has none. */
export async function mountTracing(dir: string): Promise<string | undefined> {
  await mkdir(dir, { recursive: true });
  const { status } = await attempt("mount", ["-t", "tracefs", "tracefs", dir]);
  if (status !== 0) return undefined;
  if (existsSync(join(dir, "events/block/block_bio_queue"))) return dir;
  await sh("umount", [dir]);
  return undefined;
}

const BUFFER_KIB = 4096;

export async function startTrace(
  tracing: string,
  devices: readonly TracedDevice[],
): Promise<BlockTrace> {
  const numbers = devices.map(({ device }) => deviceNumber(device));
  const instance = join(tracing, "instances", `bootc-${process.pid}-${numbers.join("-")}`);
  await mkdir(instance);
  const event = join(instance, "events/block/block_bio_queue");
  writeFileSync(join(instance, "buffer_size_kb"), String(BUFFER_KIB));
  writeFileSync(join(event, "filter"), numbers.map((it) => `dev == ${it}`).join(" || "));
  writeFileSync(join(event, "enable"), "1");
  const names = numbers.map((it) => `${it >> MINOR_BITS},${it & ((1 << MINOR_BITS) - 1)}`);
  const starts = new Map(devices.map(({ offset }, i) => [names[i] ?? "", offset / SECTOR]));
  return {
    take() {
      const lines = readFileSync(join(instance, "trace"), "utf8");
      writeFileSync(join(instance, "trace"), "");
      return parseTrace(lines, starts);
    },
    async end() {
      writeFileSync(join(event, "enable"), "0");
      await rmdir(instance);
    },
  };
}

/** As the kernel itself counts: the minor number has 20 bits. */
const MINOR_BITS = 20;

function deviceNumber(device: string): number {
  const { rdev } = statSync(device);
  const major = (rdev >> 8) & 0xfff;
  return (major << MINOR_BITS) | (rdev & 0xff) | ((rdev >> 12) & 0xfff00);
}

const BIO = /block_bio_queue: (\d+,\d+) (\S+) (\d+) \+ (\d+) /;

/** Exported for tests. `starts` are the first sectors of the devices on the disk. */
export function parseTrace(text: string, starts: ReadonlyMap<string, number>): Traced | undefined {
  const [, kept, all] = /^# entries-in-buffer\/entries-written: (\d+)\/(\d+)/m.exec(text) ?? [];
  if (kept === undefined || kept !== all) return undefined;
  const read = new Set<number>();
  const written = new Set<number>();
  for (const line of text.split("\n")) {
    const [, device = "", kind = "", at, count] = BIO.exec(line) ?? [];
    const start = starts.get(device);
    if (start === undefined) continue;
    const first = start + Number(at);
    const isRead = kind.startsWith("R");
    for (let it = first; it < first + Number(count); it++) {
      if (!isRead) written.add(it);
      else if (!written.has(it)) read.add(it);
    }
  }
  return { read, written };
}

/**
 * Traces of this process, and of runs that were killed, would stay until the machine starts again. Those of other runs
 * stay.
 */
export async function removeTraces(tracing: string): Promise<void> {
  const dir = join(tracing, "instances");
  for (const name of readdirSync(dir)) {
    const [, pid] = /^bootc-(\d+)-/.exec(name) ?? [];
    if (pid === undefined) continue;
    if (Number(pid) !== process.pid && existsSync(`/proc/${pid}`)) continue;
    writeFileSync(join(dir, name, "events/enable"), "0");
    await rmdir(join(dir, name));
  }
}
