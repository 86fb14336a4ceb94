// Disks and mounted file systems to install to: loop devices of this machine, cleaned up after each test.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe } from "vitest";
import { describeEachOstree } from "./ostree-versions.ts";
import { readOfProcess } from "./program.ts";

export const TOP = join(import.meta.dirname, "../..");
const MIB = 1 << 20;
const NEEDED = [
  "ostree",
  "skopeo",
  "sfdisk",
  "mkfs.ext4",
  "mkfs.fat",
  "losetup",
  "partx",
  "wipefs",
];
/** Requirements of these tests that this machine lacks. */
export const missing = [
  ...(process.getuid?.() === 0 ? [] : ["root"]),
  ...(existsSync("/dev/loop-control") ? [] : ["loop devices"]),
  ...NEEDED.filter((it) => spawnSync("sh", ["-c", `command -v ${it}`]).status !== 0),
];

/** Calls `define` once for each ostree, or skips it with the reason. */
export function describeInstall(define: () => void): void {
  if (missing.length > 0) describe.skip(`install: needs ${missing}`, define);
  else describe("install", () => describeEachOstree(define));
}

export const dir = mkdtempSync(join(tmpdir(), "bootc-install-"));
let undo: (() => void)[] = [];

export function sh(program: string, ...args: string[]): string {
  return execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

/** Runs `bootc install`. */
export function bootc(...args: string[]) {
  return bootcWith({}, ...args);
}

/** The same as a user other than root. */
export function bootcAsNobody(...args: string[]) {
  const entry = join(TOP, "src/entry.ts");
  const words = [entry, "install", ...args];
  return spawnSync(process.execPath, words, { encoding: "utf8", uid: 65534, gid: 65534 });
}

/** The same with variables added to the environment. */
export function bootcWith(env: Readonly<Record<string, string>>, ...args: string[]) {
  const entry = join(TOP, "src/entry.ts");
  return spawnSync(process.execPath, [entry, "install", ...args], {
    encoding: "utf8",
    env: { ...process.env, ...env },
  });
}

export async function newDisk(name: string, sizeMiB: number): Promise<string> {
  const path = join(dir, name);
  rmSync(path, { force: true });
  await writeFile(path, "");
  await truncate(path, sizeMiB * MIB);
  return path;
}

export function attach(path: string, ...options: string[]): string {
  const device = sh("losetup", "--find", "--show", ...options, path).trim();
  undo.push(() => sh("losetup", "--detach", device));
  return device;
}

export function mount(device: string, name: string, ...options: string[]): string {
  const path = join(dir, name);
  mkdirSync(path, { recursive: true });
  sh("mount", ...options, device, path);
  undo.push(() => sh("umount", "--recursive", path));
  return path;
}

/** A new ext4, mounted. */
export async function newRoot(name: string, sizeMiB = 512): Promise<string> {
  const device = attach(await newDisk(`${name}.raw`, sizeMiB));
  sh("mkfs.ext4", "-q", device);
  const path = mount(device, name);
  rmSync(join(path, "lost+found"), { recursive: true });
  return path;
}

/** Mounts the last partition of a disk image read-only. */
export function mountRootPartition(path: string, name: string): string {
  const table = JSON.parse(sh("sfdisk", "--json", path)).partitiontable;
  const offset = table.partitions.at(-1).start * table.sectorsize;
  const device = attach(path, `--offset=${offset}`);
  return mount(device, name, "-o", "ro,noload");
}

export function hash(path: string): string {
  return sh("sha256sum", path);
}

export function deploymentOf(root: string): string {
  const deploys = join(root, "ostree/deploy/default/deploy");
  const [name = ""] = readdirSync(deploys).filter((it) => !it.endsWith(".origin"));
  return join(deploys, name);
}

export function entryOf(root: string): string {
  const entries = join(root, "boot/loader/entries");
  const [name = ""] = readdirSync(entries);
  return readFileSync(join(entries, name), "utf8");
}

/** Unmounts and detaches what a test made; fails if the product left anything mounted or attached. */
export function tidyUp(): void {
  for (const it of undo.reverse()) it();
  undo = [];
  waitUntilDetached(dir);
}

/** How long a loop device may outlive its last mount, and how long another program's mount may live. */
const DETACHED_LIMIT_MS = 60_000;
const HELD_LIMIT_MS = 600_000;

/**
 * Returns when no loop device has a file at or below `path`. If another program makes a mount namespace while our
 * mounts exist, its copy of the mount keeps the device until that program ends.
 */
export function waitUntilDetached(path: string): void {
  const startedAt = Date.now();
  let heldAt = startedAt;
  for (;;) {
    const devices = devicesOf(path);
    if (devices.length === 0) return;
    const holders = holdersOf(devices);
    if (holders.length > 0) heldAt = Date.now();
    if (Date.now() - heldAt > DETACHED_LIMIT_MS || heldAt - startedAt > HELD_LIMIT_MS) {
      throw new Error(`${devices} stay attached, held by ${holders.join("; ") || "nobody"}`);
    }
    pause(50);
  }
}

function devicesOf(path: string): readonly string[] {
  const lines = sh("losetup", "--list", "--noheadings", "--output", "NAME,BACK-FILE").split("\n");
  return lines.filter((it) => it.includes(path)).map((it) => it.split(" ", 1)[0] ?? "");
}

/** The programs in whose mount namespace one of `devices`, or a partition of it, is mounted. */
function holdersOf(devices: readonly string[]): readonly string[] {
  const isHeld = (mounts: string) =>
    devices.some((it) => new RegExp(` ${it}(p\\d+)? `).test(mounts));
  const pids = readdirSync("/proc").filter((it) => /^\d+$/.test(it));
  return pids
    .filter((it) => isHeld(readOfProcess(it, "mountinfo")))
    .map((it) => `${it} (${readOfProcess(it, "cmdline").replaceAll("\0", " ").trim()})`);
}

/** Blocks, because the callers and the programs they run are synchronous. */
function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
