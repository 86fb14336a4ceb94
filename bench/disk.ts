// What a run writes to the disk: counted by a block device that is ours alone, or else by the kernel for each
// process.
import { readFile, realpath, stat } from "node:fs/promises";
import { basename } from "node:path";
import type { Context } from "../src/system/context.ts";

export interface Disk {
  /** How the bytes are counted, for readers of a report. */
  readonly about: string;
  /** Begins to count. The returned function ends it; undefined where the processes' own count is used. */
  start(): Promise<() => Promise<number | undefined>>;
}

const SECTOR_BYTES = 512;

export const BY_DEVICE =
  "bytes written: as the loop device of the repositories counts them, with the journal";
export const BY_PROCESS =
  "bytes written: as /proc/PID/io of all processes counts them, without the journal";

/** Counts what is written to the device of `folder` if it is a loop device, which nothing else writes to. */
export async function createDisk(ctx: Context, folder: string): Promise<Disk> {
  const device = await findLoopDevice(folder);
  if (device === undefined) return { about: BY_PROCESS, start: async () => async () => undefined };
  const flush = () => ctx.run("sync", ["--file-system", folder]);
  return {
    about: BY_DEVICE,
    async start() {
      await flush();
      const before = await readWritten(device);
      return async () => {
        await flush();
        return (await readWritten(device)) - before;
      };
    },
  };
}

/** The folder of the loop device in /sys. */
async function findLoopDevice(folder: string): Promise<string | undefined> {
  const { dev } = await stat(folder, { bigint: true });
  const device = await realpath(`/sys/dev/block/${majorOf(dev)}:${minorOf(dev)}`).catch(() => "");
  return basename(device).startsWith("loop") ? device : undefined;
}

/** The seventh field of a device's statistics is the number of sectors written. */
async function readWritten(device: string): Promise<number> {
  const fields = (await readFile(`${device}/stat`, "utf8")).trim().split(/\s+/);
  return Number(fields[6]) * SECTOR_BYTES;
}

function majorOf(dev: bigint): bigint {
  return ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & 0xfffff000n);
}

function minorOf(dev: bigint): bigint {
  return (dev & 0xffn) | ((dev >> 12n) & 0xffffff00n);
}
