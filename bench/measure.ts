// Measures commands against one another, interleaved, so that other load on the machine affects all alike.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BootcError } from "../src/errors.ts";
import type { Context } from "../src/system/context.ts";
import { formatCommand } from "../src/system/quote.ts";
import { ensurePrograms } from "../xtask/checks/requirements.ts";
import type { Tree } from "../xtask/task.ts";
import { createDisk, type Disk } from "./disk.ts";

/** One of the commands compared. */
export interface Contender {
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Prepares the machine for a run; not measured. */
  readonly prepare?: () => Promise<void>;
  /** Fails unless the run did its work; not measured. */
  readonly verify?: () => Promise<void>;
}

export interface MeasureOptions {
  readonly rounds: number;
  /** Rounds to run without counting them; one by default. */
  readonly warmUps?: number;
}

/** One run. */
export interface Sample {
  readonly wallMs: number;
  /** User and system time of the command and of the children that it waited for. */
  readonly cpuMs: number;
  /** The largest resident set of any single process. */
  readonly peakBytes: number;
  /** What the run wrote to the disk. */
  readonly writtenBytes: number;
}

/** All runs of one contender. */
export interface Measured {
  readonly name: string;
  readonly samples: readonly Sample[];
  /** How the bytes written were counted. */
  readonly written: string;
}

/**
 * Runs all contenders in turn, round after round; each round begins with another contender. A command
 * that fails ends the measurement, since its time would mean nothing.
 */
export async function measure(
  tree: Tree,
  contenders: readonly Contender[],
  { rounds, warmUps = 1 }: MeasureOptions,
): Promise<readonly Measured[]> {
  await ensurePrograms(tree, ["bash", "time"]);
  const folder = await mkdtemp(join(tmpdir(), "bootc-bench-"));
  const disk = await createDisk(tree.ctx, folder);
  const samples = contenders.map((): Sample[] => []);
  try {
    for (let round = -warmUps; round < rounds; round++) {
      const isCounted = round >= 0;
      const shown = isCounted ? `round ${round + 1} of ${rounds}` : "warming up";
      const progress = createProgress(tree.ctx, shown);
      for (const [i] of contenders.entries()) {
        const index = (i + round + warmUps) % contenders.length;
        const contender = contenders[index];
        if (contender === undefined) continue;
        const sample = await measureOnce(tree.ctx, contender, {
          disk,
          usage: join(folder, "usage"),
        });
        if (isCounted) samples[index]?.push(sample);
        progress.add(`${contender.name} ${formatMs(sample.wallMs)}`);
      }
      progress.end();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return contenders.map(({ name }, i) => ({
    name,
    samples: samples[i] ?? [],
    written: disk.about,
  }));
}

/** The shortest time between lines of progress; short runs share a line. */
const LINE_MS = 1000;

/** Reports how long each run of a round took, as soon as it is known. */
function createProgress(ctx: Context, shown: string) {
  let shownAt = Date.now();
  let runs: string[] = [];
  const show = () => {
    if (runs.length > 0) ctx.note(`${shown}: ${runs.join(", ")}`);
    shownAt = Date.now();
    runs = [];
  };
  return {
    add(run: string): void {
      runs.push(run);
      if (Date.now() - shownAt >= LINE_MS) show();
    },
    end: show,
  };
}

/** A program that does nothing, whose time is what the measurement itself adds. */
export const FLOOR: Contender = { name: "nothing (true)", program: "true", args: [] };

interface Meters {
  readonly disk: Disk;
  /** The file that run-once.sh writes. */
  readonly usage: string;
}

async function measureOnce(
  ctx: Context,
  contender: Contender,
  { disk, usage }: Meters,
): Promise<Sample> {
  ctx.signal.throwIfAborted();
  await contender.prepare?.();
  const readWritten = await disk.start();
  const child = spawn(
    "bash",
    [join(import.meta.dirname, "run-once.sh"), usage, contender.program, ...contender.args],
    {
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...ctx.env, ...contender.env, LC_ALL: "C.UTF-8" },
      signal: ctx.signal,
    },
  );
  let complaint = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    complaint = `${complaint}${text}`.slice(-2000);
  });
  const [status] = await once(child, "close");
  if (status !== 0) {
    const command = formatCommand(contender.program, contender.args);
    throw new BootcError(`\`${command}\` failed with status ${status}: ${complaint.trim()}`);
  }
  const written = await readWritten();
  await contender.verify?.();
  const sample = parseUsage(await readFile(usage, "utf8"));
  return written === undefined ? sample : { ...sample, writtenBytes: written };
}

/** Parses the line that run-once.sh writes. */
function parseUsage(text: string): Sample {
  const numbers = text.trim().split(/\s+/).map(Number);
  const [start = NaN, end = NaN, user = NaN, system = NaN] = numbers;
  const [written = NaN, kibibytes = NaN] = numbers.slice(4);
  return {
    wallMs: (end - start) * 1000,
    cpuMs: (user + system) * 1000,
    peakBytes: kibibytes * 1024,
    writtenBytes: written,
  };
}

export function formatMs(ms: number): string {
  const size = Math.abs(ms);
  if (size < 100) return `${ms.toFixed(1)} ms`;
  return size < 10_000 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(1)} s`;
}
