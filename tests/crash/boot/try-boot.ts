// Boots the disk of a state: the default answers questions, may get an update, and shuts down.
import { chmod, mkdir, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { trixieOstree } from "../../repo/ostree-versions.ts";
import { attempt, sh } from "../../vm/shell.ts";
import { copyDisk } from "../disk-states.ts";
import { attach, mountDisk, UnmountableError } from "../file-systems.ts";
import { grubReader } from "../grub.ts";
import { digestOf } from "../images.ts";
import { type Made, recordingPaths } from "../recording-file.ts";
import { type EntryFacts, readEntries } from "../system-facts.ts";
import { guestScript, parseSections } from "./guest-script.ts";
import type { BootFacts } from "./judge-boot.ts";
import { readDefault } from "./loader.ts";
import { bootOnce, refusesRoot } from "./machine.ts";

/** Far more than a boot and an update take on busy processors. */
const LIMIT_MS = 600_000;

export interface BootRequest {
  readonly made: Made;
  readonly disk: string;
  /** A folder of this boot's own. */
  readonly work: string;
  /** Whether the machine gets another update before it shuts down. */
  readonly isUpdated: boolean;
  readonly signal: AbortSignal;
}

export type Found = BootFacts & {
  /** What the guest printed. */
  readonly output: string;
};

/** Undefined if a file system cannot be mounted, here or by the machine. Changes the disk. */
export async function tryBoot(request: BootRequest): Promise<Found | undefined> {
  const { made, disk } = request;
  const before = await lookAtCopy(request);
  if (before === undefined) {
    await requireMountable(request);
    return undefined;
  }
  const devices = [await attach(disk, made.layout.root)];
  try {
    if (made.layout.boot !== undefined) devices.push(await attach(disk, made.layout.boot));
    const booted = await bootFrom(request, devices);
    if (refusesRoot(booted.console)) return undefined;
    // What the machine wrote is still in the kernel's cache of the device, and not in the file.
    for (const it of devices) await sh("blockdev", ["--flushbufs", it]);
    if (!request.isUpdated) return { ...booted, ...before };
    const next = await withMounted(request, disk, entriesIn);
    return { ...booted, ...before, next: next ?? "the disk cannot be mounted" };
  } finally {
    for (const it of devices) await sh("losetup", ["--detach", it]);
  }
}

type Booted = Pick<Found, "started" | "sections" | "isOff" | "console" | "output">;

async function bootFrom(
  { made, work, isUpdated, signal }: BootRequest,
  [root = "", boot]: readonly string[],
): Promise<Booted> {
  const { name, layout, next } = made;
  const prefix = boot === undefined ? "/boot" : "";
  const entry = await readDefault(grubReader(boot ?? root), prefix).catch((error: Error) => error);
  if (entry instanceof Error) {
    const nothing = { sections: new Map(), output: "", console: "", isOff: true };
    return { started: entry.message, ...nothing };
  }
  const [kernel, initramfs] = [join(work, "kernel"), join(work, "initramfs")];
  await writeFile(kernel, entry.kernel);
  await chmod(kernel, 0o755);
  await writeFile(initramfs, entry.initramfs);
  const { dir, image } = recordingPaths(name);
  const outcome = await bootOnce({
    ...{ work, kernel, initramfs, root, signal, limitMs: LIMIT_MS, options: entry.options },
    ...(boot === undefined || layout.boot === undefined
      ? {}
      : { boot: { device: boot, type: layout.boot.type } }),
    script: guestScript(isUpdated ? { folder: dir, os: basename(image(next.version)) } : undefined),
  });
  requireStart(made, entry.kernel, outcome.console);
  return {
    started: { kernel: digestOf(entry.kernel), initramfs: digestOf(entry.initramfs) },
    sections: parseSections(outcome.output),
    ...outcome,
  };
}

/** If an undamaged kernel prints nothing, this machine is at fault, not the state. */
function requireStart(made: Made, kernel: Buffer, console: string): void {
  const isWhole = [made.old, made.new].some((it) => it.kernel === digestOf(kernel));
  if (!isWhole || console.includes("Linux version")) return;
  throw new Error(`user-mode Linux does not start here: ${console.slice(-500)}`);
}

/** Looks at a copy, since mounting replays the journal, which the machine has to do itself. */
async function lookAtCopy(request: BootRequest) {
  const copy = join(request.work, "looked-at.img");
  await copyDisk(request.disk, copy);
  try {
    return await withMounted(request, copy, async (root) => ({
      entries: await entriesIn(root),
      fsck: await fsckOf(join(root, "ostree/repo")),
    }));
  } finally {
    await rm(copy, { force: true });
  }
}

/** If the disk before the recording cannot be mounted either, this machine is at fault, not the state. */
async function requireMountable(request: BootRequest): Promise<void> {
  const copy = join(request.work, "base.img");
  await copyDisk(recordingPaths(request.made.name).base, copy);
  const mounted = await withMounted(request, copy, async () => true);
  await rm(copy, { force: true });
  if (mounted === undefined) throw new Error("no disk of this recording can be mounted here");
}

async function entriesIn(root: string): Promise<readonly EntryFacts[] | string> {
  return await readEntries(root).catch((error: Error) => error.message);
}

/** What `ostree fsck` says. Objects that no ref needs may be damaged: a later clean-up removes them. */
async function fsckOf(repo: string): Promise<string> {
  const { env } = trixieOstree();
  const ostree = async (...words: readonly string[]) => {
    const ran = await attempt("ostree", [...words, `--repo=${repo}`], { env });
    return ran.status === 0 ? "" : `${ran.stdout}${ran.stderr}`.trim().slice(-1000);
  };
  const first = await ostree("fsck", "--quiet");
  if (first === "") return "";
  const again = (await ostree("prune", "--refs-only")) || (await ostree("fsck", "--quiet"));
  return again === "" ? "" : `${first}; after a prune: ${again}`;
}

/** Undefined if the file systems cannot be mounted. */
async function withMounted<T>(
  { made: { layout }, work }: BootRequest,
  disk: string,
  look: (root: string) => Promise<T>,
): Promise<T | undefined> {
  const root = join(work, "root");
  await mkdir(root, { recursive: true });
  const unmount = await mountDisk(disk, layout, root).catch((error: unknown) => {
    if (error instanceof UnmountableError) return undefined;
    throw error;
  });
  return unmount && (await look(root).finally(unmount));
}
