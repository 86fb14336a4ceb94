// Finds out what a power cut left on a disk, and changes the disk: the next update is tried on it. It is a thread of its
// own, because a simulated machine lets its thread wait for every program.
import { mkdir } from "node:fs/promises";
import { join, relative } from "node:path";
import { parentPort } from "node:worker_threads";
import { trixieOstree } from "../repo/ostree-versions.ts";
import { makeHost, type Outcome, type SimulatedHost } from "../repo/simulated-boot.ts";
import { type Layout, mountDisk, repairDisk, UnmountableError } from "./file-systems.ts";
import { offering } from "./images.ts";
import { type MountedFacts, parseBooted, type StateFacts } from "./judge.ts";
import { checkMarks } from "./marks.ts";
import { findNothing, readMounted, type Tried } from "./mounted.ts";

const TOP = join(import.meta.dirname, "../..");

export interface JudgeRequest {
  readonly disk: string;
  readonly layout: Layout;
  /** An empty folder. */
  readonly work: string;
  readonly executable: string;
  /** The layout of the image that the next update brings. */
  readonly nextImage: string;
}

async function readState(request: JudgeRequest): Promise<MountedFacts> {
  const { disk, layout, work } = request;
  const root = join(work, "root");
  await mkdir(root, { recursive: true });
  const mounted = await mountRepaired(disk, layout, root);
  if (mounted instanceof Error) return findNothing(mounted.message);
  try {
    return await readMounted(root, (sysroot) => tryHost(request, sysroot));
  } finally {
    await mounted();
  }
}

async function mountRepaired(disk: string, layout: Layout, root: string) {
  try {
    return await mountDisk(disk, layout, root);
  } catch (error) {
    if (!(error instanceof UnmountableError)) throw error;
    await repairDisk(disk, layout);
    return await mountDisk(disk, layout, root).catch((it: Error) => it);
  }
}

/** Boots the default, asks it, and updates it. */
function tryHost(request: JudgeRequest, sysroot: string): Tried {
  const host = makeHost(trixieOstree(), { sysroot, executable: request.executable });
  try {
    const marks = said(host.shell(checkMarks()));
    const fsck = fsckOf(host);
    const booted = bootedIn(host);
    const image = join("/run/checkout", relative(TOP, request.nextImage));
    const upgrade = said(host.shell(`${offering(image)} && bootc upgrade --quiet`));
    if (upgrade !== "") return { marks, fsck, booted, upgrade, fsckNext: "" };
    // The boot loader's entries show what boots next, at less cost than another boot.
    const finalized = said(host.shell("ostree admin finalize-staged"));
    return { marks, fsck, booted, upgrade: finalized, fsckNext: fsckOf(host) };
  } finally {
    host.remove();
  }
}

function said({ status, stdout, stderr }: Outcome): string {
  return status === 0 ? "" : `status ${status}: ${`${stdout}${stderr}`.trim().slice(-1000)}`;
}

/** Objects that no ref needs may be damaged: a later clean-up removes them. */
function fsckOf(host: SimulatedHost): string {
  const repo = "--repo=/sysroot/ostree/repo";
  const first = said(host.shell(`ostree fsck --quiet ${repo}`));
  if (first === "") return "";
  const again = `ostree prune --refs-only ${repo} && ostree fsck --quiet ${repo}`;
  const pruned = host.shell(`mount -o remount,bind,rw /sysroot && ${again}`);
  return pruned.status === 0 ? "" : `${first}; after a prune: ${said(pruned)}`;
}

function bootedIn(host: SimulatedHost): StateFacts["booted"] {
  const outcome = host.bootc("status --json");
  const failed = said(outcome);
  if (failed !== "") return failed;
  if (outcome.stderr !== "") return `it warned: ${outcome.stderr.trim()}`;
  return parseBooted(outcome.stdout);
}

parentPort?.on("message", async (request: JudgeRequest) => {
  try {
    parentPort?.postMessage({ facts: await readState(request) });
  } catch (error) {
    parentPort?.postMessage({ failure: error instanceof Error ? error.message : String(error) });
  }
});
