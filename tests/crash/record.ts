// Makes a recording: a machine with version 1 is prepared on a disk, then each step runs with the recorder below.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { createInterface } from "node:readline";
import { craftedPolicy } from "../repo/images/selinux-policy.ts";
import { trixieOstree } from "../repo/ostree-versions.ts";
import { makeHost, type SimulatedHost } from "../repo/simulated-boot.ts";
import { sh } from "../vm/shell.ts";
import { openDiskLog } from "./disk-log.ts";
import { copyDisk, openDiskStates } from "./disk-states.ts";
import {
  detachBelow,
  diskBytes,
  formatDisk,
  LARGE_MIB,
  type Layout,
  layOut,
  mountDisk,
} from "./file-systems.ts";
import { type BootFiles, type BootParts, makeOsImage, offering } from "./images.ts";
import type { KnownSystem } from "./judge.ts";
import { withLater } from "./later.ts";
import { setMarks } from "./marks.ts";
import { type Recorder, startRecorder } from "./recorder.ts";
import { bootingName, type Made, type Mark, recordingPaths, writeMade } from "./recording-file.ts";
import { type Phase, RECORDINGS, type Recording, type Step } from "./recordings.ts";
import { listStates } from "./states.ts";
import {
  type EntryFacts,
  type OriginFacts,
  readEntries,
  readEtcs,
  readOrigins,
} from "./system-facts.ts";

const TOP = join(import.meta.dirname, "../..");
/** The version that the judge upgrades to. */
const NEXT = 99;

const UPDATES_UNIT = "/usr/lib/systemd/system/bootc-updates.service";

interface Stage {
  readonly name: string;
  readonly recording: Recording;
  readonly layout: Layout;
  readonly executable: string;
  /** Where the disk is mounted. */
  readonly root: string;
  readonly boots: ReadonlyMap<number, BootFiles>;
}

/** With `parts`, the recording is of systems that boot. */
export async function makeRecording(
  of: string,
  executable: string,
  parts?: BootParts,
): Promise<Made> {
  const recording = RECORDINGS[of];
  if (recording === undefined) throw new Error(`no recording is named \`${of}\``);
  const name = parts === undefined ? of : bootingName(of);
  const { dir } = recordingPaths(name);
  await rm(dir, { recursive: true, force: true });
  await mkdir(dir, { recursive: true });
  const work = await mkdtemp(join(tmpdir(), "bootc-record-"));
  try {
    const root = join(work, "root");
    await mkdir(root);
    const layout = layOut(recording.root, recording.boot, parts && LARGE_MIB);
    const boots = await makeImages(name, recording, parts);
    const stage = { name, recording, layout, executable, root, boots };
    const before = await prepare(stage);
    const { marks, origins, after } = await record(stage, work);
    const observed = { before: before.etcs, after: after.etcs, origins };
    const [oldVersion, newVersion] = recording.versions;
    const known = (entry: EntryFacts | undefined, version?: number) =>
      withLater(knownSystem(stage, entry, version), recording.changes, observed);
    const made: Made = {
      ...{ name, date: new Date().toISOString(), layout, marks },
      ...(parts && { parts: parts.digest }),
      old: known(before.entries[0], oldVersion),
      new: known(after.entries[0], newVersion),
      others: before.entries.slice(1).map((it) => known(it)),
      next: { version: String(NEXT), ...bootFilesOf(stage, NEXT) },
    };
    await writeMade(made);
    return made;
  } finally {
    await detachBelow(work);
    await rm(work, { recursive: true, force: true });
  }
}

async function makeImages(name: string, recording: Recording, parts: BootParts | undefined) {
  const steps = [...(recording.before ?? []), ...recording.steps];
  const versions = steps.flatMap((it) => (typeof it === "object" && "from" in it ? it.from : []));
  const boots = new Map<number, BootFiles>();
  for (const version of new Set([1, ...versions, NEXT])) {
    const files = {
      ...(recording.hasPolicy === true ? policyOf(version) : {}),
      // Systems that boot have all units of the package.
      ...(recording.hasUpdates === true && parts === undefined
        ? { [UPDATES_UNIT]: "[Service]\n" }
        : {}),
    };
    const dir = recordingPaths(name).image(version);
    boots.set(version, await makeOsImage(dir, { version, files, parts }));
  }
  return boots;
}

/** From version 2 on, everything in `/usr` has another label. */
function policyOf(version: number): Readonly<Record<string, string>> {
  const type = version === 1 ? "usr_t" : "other_t";
  return Object.fromEntries(
    Object.entries(craftedPolicy()).map(([path, text]) => [
      `/etc/selinux/${path}`,
      text.replaceAll("usr_t", type),
    ]),
  );
}

function bootFilesOf({ boots }: Stage, version: number): BootFiles {
  const files = boots.get(version);
  if (files === undefined) throw new Error(`there is no image of version ${version}`);
  return files;
}

/** The system of an entry, which boots `version` or any other whose image is known. */
function knownSystem(
  { boots }: Stage,
  entry: EntryFacts | undefined,
  version?: number,
): KnownSystem {
  const found = [...boots].find(
    ([, it]) => it.kernel === entry?.kernel && it.initramfs === entry.initramfs,
  );
  if (entry === undefined || found === undefined || found[0] !== (version ?? found[0])) {
    throw new Error(`the recording boots version ${found?.[0]} instead of ${version}`);
  }
  const { kernel, initramfs, deployment, tree, etc, origin } = entry;
  return { version: String(found[0]), kernel, initramfs, deployment, tree, etc, origin };
}

/** Makes the disk before the recording. */
async function prepare(stage: Stage) {
  const { name, recording, layout, root } = stage;
  const { base } = recordingPaths(name);
  await writeFile(base, "");
  await truncate(base, diskBytes(layout));
  await formatDisk(base, layout);
  const unmount = await mountDisk(base, layout, root);
  try {
    await withHost(stage, async (host) => {
      deployFirst(stage, host);
      for (const [key, value] of Object.entries(recording.repo ?? {})) {
        host.outside("ostree", "config", `--repo=${host.repo}`, "set", key, value);
      }
      must(host, setMarks());
      for (const step of recording.before ?? []) {
        if (step === "reboot") host.reboot();
        else must(host, commandOf(stage, step));
      }
    });
    return await readSystems(root);
  } finally {
    await unmount();
  }
}

async function readSystems(root: string) {
  const entries = await readEntries(root);
  return { entries, etcs: await readEtcs(root, entries) };
}

async function withHost<T>({ root, executable }: Stage, work: (host: SimulatedHost) => Promise<T>) {
  const host = makeHost(trixieOstree(), { sysroot: root, executable });
  try {
    return await work(host);
  } finally {
    host.remove();
  }
}

function deployFirst({ name, root }: Stage, host: SimulatedHost): void {
  const { status, stderr } = host.bootcOutside(
    ...["internals", "ostree-container", "image", "deploy", `--sysroot=${root}`],
    ...["--stateroot=default", "--karg=root=UUID=x"],
    `--imgref=ostree-unverified-image:oci:${recordingPaths(name).image(1)}:latest`,
    "--target-imgref=ostree-unverified-image:oci:/run/os:latest",
  );
  if (status !== 0) throw new Error(`the first deployment failed: ${stderr}`);
}

function must(host: SimulatedHost, command: string): void {
  const { status, stdout, stderr } = host.shell(command);
  if (status !== 0) throw new Error(`\`${command}\` ended with ${status}: ${stdout}${stderr}`);
}

function commandOf({ name }: Stage, step: Exclude<Step, "reboot">): string {
  if ("shell" in step) return step.shell;
  const image = join("/run/checkout", relative(TOP, recordingPaths(name).image(step.from)));
  return `${offering(image)} && bootc ${step.bootc}`;
}

/** Runs the steps on a copy of the disk, and returns where phases begin, and what boots in the end. */
async function record(stage: Stage, work: string) {
  const { name, layout, root, recording } = stage;
  const { base, log } = recordingPaths(name);
  const [disk, front] = [join(work, "disk.img"), join(work, "front.img")];
  await copyDisk(base, disk);
  const marks: Mark[] = [];
  const origins: OriginFacts[] = [];
  const recorder = await startRecorder({ disk, log, front });
  try {
    const mark = async (phase: Phase) => {
      marks.push({ phase, at: await recorder.position() });
    };
    let unmount = await mountDisk(front, layout, root);
    try {
      await withHost(stage, async (host) => {
        for (const step of recording.steps) {
          if (step !== "reboot") {
            await mark(step.phase);
            await runStep(stage, { host, recorder, marks }, step);
            origins.push(...(await readOrigins(root)));
            continue;
          }
          await mark("finalize");
          host.reboot();
          await mark("shutdown");
          await unmount();
          unmount = await mountDisk(front, layout, root);
        }
      });
    } finally {
      await unmount();
    }
  } finally {
    await recorder.stop();
  }
  await requireComplete(stage, { disk, work });
  const unmount = await mountDisk(disk, layout, root);
  const after = await readSystems(root).finally(unmount);
  return { marks, origins, after };
}

interface Running {
  readonly host: SimulatedHost;
  readonly recorder: Recorder;
  readonly marks: Mark[];
}

/** The tasks of a verb's progress, by the phase that begins with them. */
const TASKS: Readonly<Record<string, Phase>> = { importing: "import", staging: "stage" };

async function runStep(
  stage: Stage,
  { host, recorder, marks }: Running,
  step: Exclude<Step, "reboot">,
): Promise<void> {
  const hasProgress = "bootc" in step && step.phase === "pull";
  const command = commandOf(stage, step);
  // Node gives programs sockets, and progress takes only a pipe; a pipeline ends with the status of `cat`.
  const words = hasProgress
    ? `{ ${command} --progress-fd 3 3>&1 >&2; echo $? >/run/status; } | cat; exit $(cat /run/status)`
    : command;
  const { program, args, env } = host.entering(words);
  const child = spawn(program, args, { env, stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(child, "exit");
  for await (const line of createInterface({ input: child.stdout })) {
    if (!line.startsWith("{")) continue;
    const phase = TASKS[(JSON.parse(line) as { readonly task?: string }).task ?? ""];
    if (phase === undefined || marks.some((it) => it.phase === phase)) continue;
    marks.push({ phase, at: await recorder.position() });
  }
  const [status] = await ended;
  if (status !== 0) throw new Error(`\`${command}\` ended with ${status}`);
}

/** The log, applied to the disk before, has to give the disk after: otherwise it lacks something. */
async function requireComplete(
  { name }: Stage,
  { disk, work }: { readonly disk: string; readonly work: string },
): Promise<void> {
  const { base, log } = recordingPaths(name);
  const diskLog = openDiskLog(log);
  const last = listStates(diskLog.intervals).findLast((it) => it.kind === "flushed");
  if (last === undefined) throw new Error("nothing was recorded");
  const states = await openDiskStates({ base, log: diskLog, work });
  const replayed = join(work, "replayed.img");
  await states.make(last, replayed);
  await states.close();
  diskLog.close();
  await sh("cmp", [disk, replayed]);
}
