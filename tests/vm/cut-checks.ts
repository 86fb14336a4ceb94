// What must hold in a machine that was booted after a cut.
import { readFile, writeFile } from "node:fs/promises";
import type { Updates } from "./cut-updates.ts";
import { statusOf } from "./lab.ts";
import type { Machine } from "./machine.ts";

/** Marks that a cut must not change. They are flushed before an update is staged: what that writes is not. */
export async function writeMark(machine: Machine, mark: string): Promise<void> {
  await machine.must(`echo '${mark}' | tee /etc/cut-mark > /var/cut-mark && sync`);
}

const LIST_ESP = `
set -e -o pipefail
esp=$(lsblk --noheadings --raw --paths --output NAME,PARTTYPE | sed -n 's/ c12a7328-.*//p')
[ -n "$esp" ] || exit 0
dir=$(mktemp --directory)
mount -o ro "$esp" "$dir"
cd "$dir"
find . -type f ! -name random-seed -exec sha256sum {} + | sort
cd /
umount "$dir"
`;

/** What a run has to compare the firmware's partition with. */
export interface EspBaseline {
  /** The file with the list, beside the disk. */
  readonly path: string;
  /** Whether the run goes on with the disk of an earlier one, which has left the file. */
  readonly isContinued: boolean;
  /** Whether there must be such a partition. */
  readonly isRequired: boolean;
}

/** The files of the firmware's partition as installed. Those of a later boot may be what a cut has left. */
export async function readInstalledEsp(machine: Machine, baseline: EspBaseline): Promise<string> {
  const { path, isContinued, isRequired } = baseline;
  const list = isContinued ? await readKeptEsp(path) : await listEsp(machine);
  // Two lists that are empty would be the same after each cut.
  if (isRequired && list === "") throw new Error("the ESP of the machine is not found, or empty");
  if (!isContinued) await writeFile(path, list);
  return list;
}

async function readKeptEsp(path: string): Promise<string> {
  return await readFile(path, "utf8").catch((error: unknown) => {
    throw new Error(`${path} is missing: install again, without --continue`, { cause: error });
  });
}

/** The files of the firmware's partition; only the random seed changes, at each boot. */
async function listEsp(machine: Machine): Promise<string> {
  return await machine.must(LIST_ESP);
}

export interface Expectation {
  readonly mark: string;
  /** The mark of the next cut. */
  readonly nextMark: string;
  readonly allowed: readonly string[];
  readonly updates: Updates;
  /** What the firmware's partition had when the machine was installed. */
  readonly esp: string;
  /** Whether the repository is read as well, which takes long under emulation. */
  readonly isRepositoryRead: boolean;
}

/** Collects everything that must hold after a cut before judging it. The newest update is staged then, or runs. */
export async function examine(machine: Machine, want: Expectation) {
  const problems: string[] = [];
  const check = async (what: string, work: () => Promise<boolean>) => {
    const isRight = await work().catch((error: Error) => {
      problems.push(`${what}: ${error.message}`);
      return true;
    });
    if (!isRight) problems.push(what);
  };
  let version = "none";
  await check("status", async () => {
    version = (await statusOf(machine)).status.booted?.image?.version ?? "none";
    return true;
  });
  await check(`booted is ${version}`, async () => want.allowed.includes(version));
  await check("/etc and /var", async () => {
    const text = await machine.must("cat /etc/cut-mark /var/cut-mark");
    return text.trim() === `${want.mark}\n${want.mark}`;
  });
  await check("/etc follows the image", async () => {
    return (await machine.must("cat /etc/follows")).trim() === version;
  });
  await check("the ESP", async () => (await listEsp(machine)) === want.esp);
  if (want.isRepositoryRead) {
    await check("ostree fsck", async () => {
      await machine.must("ostree fsck --quiet");
      return true;
    });
  }
  await check("the next mark", async () => {
    await writeMark(machine, want.nextMark);
    return true;
  });
  await check("the next upgrade", async () => {
    await machine.must("bootc upgrade --quiet");
    const { status } = await statusOf(machine);
    const next = status.staged?.image?.version ?? status.booted?.image?.version;
    return next === want.updates.newest();
  });
  await check("failed units", async () => {
    // It fails for a machine that is degraded, which the list of units says better.
    await machine.run("systemctl is-system-running --wait");
    return (await machine.must("systemctl --failed --no-legend")) === "";
  });
  return { problems, version };
}
