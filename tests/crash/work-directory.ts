// The folders that disks are judged in, and what of the machine belongs to them: mounts, loop devices and traces.
import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm, statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readMountsBelow } from "../../src/system/root/mounts.ts";
import { createContext } from "../../src/system/run.ts";
import { attempt } from "../vm/shell.ts";
import { removeTraces } from "./block-trace.ts";
import { detachBelow } from "./file-systems.ts";

/** Memory is faster than a disk, and nothing in these folders has to survive. */
const MEMORY = "/dev/shm";
const PREFIX = "bootc-crash-";

/** `bytes` is how much has to fit into it. */
export async function makeWorkDirectory(bytes = 2 ** 32): Promise<string> {
  const isLarge = async () => {
    const { bavail, bsize } = await statfs(MEMORY);
    return bavail * bsize > bytes;
  };
  const top = existsSync(MEMORY) && (await isLarge()) ? MEMORY : tmpdir();
  return await mkdtemp(join(top, `${PREFIX}${process.pid}-`));
}

/** Where the kernel's tracing is mounted in a work directory. */
export const tracingIn = (top: string) => join(top, "tracing");

export async function removeWorkDirectory(top: string): Promise<void> {
  const tracing = tracingIn(top);
  if (existsSync(join(tracing, "instances"))) {
    await removeTraces(tracing);
    // Removing must not reach into the kernel's files.
    await attempt("umount", [tracing]);
  }
  // Ctrl-C also ends what would have unmounted a disk.
  const mounts = await readMountsBelow(createContext(), top);
  for (const { path } of mounts.toReversed()) await attempt("umount", ["--lazy", path]);
  await detachBelow(top);
  await rm(top, { recursive: true, force: true });
}

/** Runs that were killed leave disks in memory, and their loop devices. */
export async function removeOldWork(): Promise<void> {
  for (const top of new Set([MEMORY, tmpdir()])) {
    for (const name of existsSync(top) ? await readdir(top) : []) {
      if (isLeft(name)) await removeWorkDirectory(join(top, name));
    }
  }
}

/** Exported for tests. Whether a folder is that of a run that has ended. */
export function isLeft(name: string): boolean {
  const [, pid] = /^bootc-crash-(\d+)-/.exec(name) ?? [];
  return pid !== undefined && !existsSync(`/proc/${pid}`);
}
