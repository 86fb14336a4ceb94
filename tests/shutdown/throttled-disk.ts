// Two file systems on loop devices, as a machine has them for / and /boot, which can be made slow.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Writes by the kernel's own threads, such as those of a journal, count only in the topmost group. */
const GROUP = "/sys/fs/cgroup/blkio";
const LIMITS = {
  read_bps: 5 * 1024 * 1024,
  read_iops: 50,
  write_bps: 5 * 1024 * 1024,
  write_iops: 50,
} as const;

const NAMES = ["root", "boot"] as const;

export interface ThrottledDisk {
  /** Where the physical root is mounted, with /boot in it. */
  readonly sysroot: string;
  slowDown(): void;
  speedUp(): void;
  /** How many writes the kernel has counted for / and for /boot; each of them has its own 50 a second. */
  countWrites(): readonly number[];
  /** As a shutdown ends: what is not written yet is. */
  makeReadOnly(): void;
  makeWritable(): void;
  detach(): void;
}

export const run = (program: string, ...args: readonly string[]): string =>
  execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] }).trim();

/** What the machine lacks, if anything. */
export function missingForThrottling(): string | undefined {
  if (process.getuid?.() !== 0) return "needs root";
  const file = join(GROUP, "blkio.throttle.write_iops_device");
  return existsSync(file) ? undefined : "needs the blkio controller of control groups, version 1";
}

/** Empty file systems in files below `dir`. */
export function makeImages(dir: string): void {
  for (const [name, size] of [
    ["root", "1500M"],
    ["boot", "300M"],
  ] as const) {
    run("truncate", `--size=${size}`, imageOf(dir, name));
    // Otherwise the kernel goes on with that while time is measured.
    const options = "lazy_itable_init=0,lazy_journal_init=0";
    run("mkfs.ext4", "-q", "-E", options, imageOf(dir, name));
  }
}

export function copyImages(from: string, to: string): void {
  rmSync(to, { recursive: true, force: true });
  mkdirSync(to, { recursive: true });
  for (const name of NAMES) run("cp", "--sparse=always", imageOf(from, name), imageOf(to, name));
  run("sync", "--file-system", to);
}

const imageOf = (dir: string, name: string) => join(dir, `${name}.img`);

/** Attaches and mounts the images below `dir`. */
export function attachDisk(dir: string): ThrottledDisk {
  const sysroot = join(dir, "sysroot");
  mkdirSync(sysroot, { recursive: true });
  const devices = NAMES.map((name) => run("losetup", "--find", "--show", imageOf(dir, name)));
  const numbers = devices.map((it) =>
    readFileSync(`/sys/block/${it.slice("/dev/".length)}/dev`, "utf8").trim(),
  );
  const limit = (isSlow: boolean) => {
    for (const [name, value] of Object.entries(LIMITS)) {
      for (const it of numbers) {
        writeFileSync(join(GROUP, `blkio.throttle.${name}_device`), `${it} ${isSlow ? value : 0}`);
      }
    }
  };
  const mounts = [sysroot, join(sysroot, "boot")];
  mounts.forEach((it, i) => {
    mkdirSync(it, { recursive: true });
    run("mount", devices[i] ?? "", it);
  });
  return {
    sysroot,
    slowDown: () => limit(true),
    speedUp: () => limit(false),
    countWrites: () => countWrites(numbers),
    makeReadOnly: () => mounts.toReversed().forEach((it) => void run("mount", "-oremount,ro", it)),
    makeWritable: () => mounts.forEach((it) => void run("mount", "-oremount,rw", it)),
    detach: () => {
      limit(false);
      for (const it of mounts.toReversed()) run("umount", it);
      for (const it of devices) run("losetup", "--detach", it);
    },
  };
}

/** Lines are such as `7:3 Write 2012`. */
function countWrites(numbers: readonly string[]): readonly number[] {
  const text = readFileSync(join(GROUP, "blkio.throttle.io_serviced"), "utf8");
  return numbers.map((it) => Number(new RegExp(`^${it} Write (\\d+)$`, "m").exec(text)?.[1] ?? 0));
}
