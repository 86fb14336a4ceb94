// A virtual machine under emulation: one qemu per boot, controlled over ssh, with its console logged.
import type { ChildProcess } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { mkdir, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { readStart, type Start, withDisk } from "./boot-entry.ts";
import { attempt, type Ran, spawnBound, waitFor } from "./shell.ts";

/** Under emulation, a boot takes one minute on two cores, and five on busy ones. */
const BOOT_LIMIT_MS = 900_000;
const SHUTDOWN_LIMIT_MS = 600_000;

export interface Disk {
  readonly path: string;
  /** Where the file system with /boot starts in the disk, in bytes. */
  readonly bootOffset?: number;
  /** The boot files are in the directory `boot` of that file system, or at its top. */
  readonly bootDir?: "boot" | ".";
  /** Writes that the guest did not flush are lost when the machine is killed. */
  readonly losesUnflushed?: boolean;
  /** The disk has its own boot loader, so we do not play one. */
  readonly startsItself?: boolean;
}

export interface Machine {
  readonly bootedEntry: string;
  readonly consolePath: string;
  /** How long it took until ssh answered. */
  readonly bootMs: number;
  /** Runs a shell command as root in the guest. */
  run(command: string, timeoutMs?: number): Promise<Ran>;
  /** The same, but it must succeed; returns its standard output. */
  must(command: string, timeoutMs?: number): Promise<string>;
  /** Whether qemu has ended. */
  hasEnded(): boolean;
  /** Waits for the guest to end by itself after a requested shutdown or reboot, and what must come before. */
  waitForEnd(limitMs?: number): Promise<void>;
  reboot(): Promise<void>;
  /** Cuts the power; with a layer below the disk, unflushed writes are lost or kept. */
  cut(how?: Loss): Promise<void>;
  /** The program and arguments that run a command in the guest, for callers that watch it. */
  sshCommand(command: string): readonly [string, readonly string[]];
}

export interface BootOptions {
  /** The folder of the ssh key, the console logs and the control sockets. */
  readonly workDir: string;
  /** Names the console log. */
  readonly name: string;
  readonly disk: Disk;
  /** More arguments for qemu: firmware, further disks, a TPM. */
  readonly devices?: readonly string[];
}

/** Describes one boot of the machine; `name` is that of its console log. */
export type DescribeBoot = (name: string) => BootOptions | Promise<BootOptions>;

/** Starts the machine and returns at once; ssh may not answer yet. */
export async function startMachine(options: BootOptions): Promise<Machine & Starting> {
  const { disk, workDir, name, devices = [] } = options;
  await mkdir(join(workDir, "console"), { recursive: true });
  const start = disk.startsItself ? undefined : await readStartOf(disk);
  const port = await freePort();
  const consolePath = join(workDir, "console", `${name}.log`);
  const layer = disk.losesUnflushed ? await startLossyLayer(disk, workDir, name) : undefined;
  const log = openSync(consolePath, "w");
  const child = spawnBound("qemu-system-x86_64", qemuArgs({ disk, start, port, layer, devices }), {
    stdio: ["ignore", log, log],
  });
  closeSync(log);
  const state = { child, port, workDir, control: join(workDir, `ssh-${port}`) };
  const exited = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", () => resolve());
  });
  let ending: Promise<void> | undefined;
  const end = (how: Loss) => {
    ending ??= exited.then(async () => {
      if (layer !== undefined) await endLayer(layer, how);
      if (start !== undefined) await rm(start.dir, { recursive: true, force: true });
      await rm(state.control, { force: true });
    });
    return ending;
  };
  return machineOf(state, { consolePath, entry: start?.entry.file ?? "", end });
}

/** What happens to writes that the guest did not flush. */
type Loss = "writes-kept" | "unflushed-lost";

/** Starts the machine and waits until root can log in. */
export async function bootMachine(options: BootOptions): Promise<Machine> {
  const machine = await startMachine(options);
  await machine.waitForSsh();
  return machine;
}

interface Ending {
  /** After qemu: the layer below the disk, and temporary files. */
  end(how: Loss): Promise<void>;
}

interface Starting {
  waitForSsh(): Promise<void>;
}

interface State {
  readonly child: ChildProcess;
  readonly port: number;
  readonly workDir: string;
  readonly control: string;
}

function machineOf(
  state: State,
  it: Ending & { readonly consolePath: string; readonly entry: string },
): Machine & Starting {
  const startedAt = Date.now();
  let bootMs = 0;
  const hasEnded = () => state.child.exitCode !== null || state.child.signalCode !== null;
  const run = (command: string, timeoutMs = 600_000) => ssh(state, command, timeoutMs);
  const machine: Machine & Starting = {
    bootedEntry: it.entry,
    consolePath: it.consolePath,
    get bootMs() {
      return bootMs;
    },
    run,
    hasEnded,
    async must(command, timeoutMs) {
      const ran = await run(command, timeoutMs);
      if (ran.status === 0) return ran.stdout;
      throw new Error(`guest: \`${command}\`: ${ran.status}\n${ran.stdout}\n${ran.stderr}`);
    },
    async waitForSsh() {
      await waitFor(`ssh of ${it.consolePath}`, BOOT_LIMIT_MS, async () => {
        if (hasEnded()) throw new Error("the guest ended");
        if (/You are in emergency mode/.test(await readFile(it.consolePath, "utf8"))) {
          throw new Error("the guest is in emergency mode");
        }
        const ran = await ssh(state, "true", 60_000).catch(() => undefined);
        return ran?.status === 0 ? true : undefined;
      }).catch(async (error: Error) => {
        await machine.cut();
        throw new Error(`${error.message}\n${await tailOf(it.consolePath)}`);
      });
      bootMs = Date.now() - startedAt;
    },
    async waitForEnd(limitMs = SHUTDOWN_LIMIT_MS) {
      await waitFor("the guest to end", limitMs, async () => hasEnded() || undefined);
      // A reboot leaves the disk its power.
      await it.end("writes-kept");
    },
    async reboot() {
      await run("systemctl reboot", 60_000);
      await machine.waitForEnd();
    },
    async cut(how = "writes-kept") {
      state.child.kill("SIGKILL");
      await it.end(how);
    },
    sshCommand: (command) => ["ssh", [...sshArgs(state), "root@127.0.0.1", command]],
  };
  return machine;
}

async function tailOf(path: string): Promise<string> {
  return (await readFile(path, "utf8")).split("\n").slice(-30).join("\n");
}

async function readStartOf(disk: Disk): Promise<Start> {
  const offset = disk.bootOffset === undefined ? {} : { offset: disk.bootOffset };
  return await withDisk(disk.path, { ...offset, readOnly: true }, (dir) =>
    readStart(join(dir, disk.bootDir ?? "boot")),
  );
}

interface Qemu {
  readonly disk: Disk;
  readonly start: Start | undefined;
  readonly port: number;
  readonly layer: { readonly socket: string } | undefined;
  readonly devices: readonly string[];
}

/** KVM may exist and hang the guest, so every machine uses emulation. */
function qemuArgs({ disk, start, port, layer, devices }: Qemu): readonly string[] {
  const file = layer === undefined ? disk.path : `nbd:unix:${layer.socket}`;
  const kernel =
    start === undefined
      ? []
      : [
          ...["-kernel", join(start.dir, "vmlinuz"), "-initrd", join(start.dir, "initramfs")],
          // Arguments that are not in the boot entry and that only the emulation needs.
          ...["-append", `${start.entry.options} console=ttyS0 mitigations=off panic=-1`],
        ];
  return [
    // Not `max`: with AVX to emulate, a boot takes a third longer.
    ...["-machine", "q35", "-accel", "tcg,thread=multi,tb-size=512", "-cpu", "Nehalem"],
    // One processor: with two, the emulator may run an instruction while the kernel patches it.
    ...["-smp", "1", "-m", "2048", "-nodefaults", "-display", "none", "-serial", "stdio"],
    ...["-no-reboot", "-device", "virtio-rng-pci"],
    ...["-drive", `file=${file},format=raw,if=virtio,cache=writeback`],
    ...["-netdev", `user,id=net0,hostfwd=tcp:127.0.0.1:${port}-:22`],
    ...["-device", "virtio-net-pci,netdev=net0,romfile="],
    ...devices,
    ...kernel,
  ];
}

/** A layer that keeps writes in memory until the guest flushes them, and forgets them when killed. */
async function startLossyLayer(disk: Disk, workDir: string, name: string) {
  const socket = join(workDir, `${name}.sock`);
  await rm(socket, { force: true });
  const args = ["--foreground", "--unix", socket, "--filter=cache", "file", disk.path];
  const child = spawnBound("nbdkit", [...args, "cache=writeback"], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  await waitFor("nbdkit", 20_000, async () =>
    (await attempt("test", ["-S", socket])).status === 0 ? true : undefined,
  );
  return { socket, child, exited };
}

async function endLayer(
  { socket, child, exited }: Awaited<ReturnType<typeof startLossyLayer>>,
  how: Loss,
): Promise<void> {
  if (how === "writes-kept") {
    const flush = await attempt("qemu-io", ["-f", "raw", "-c", "flush", `nbd:unix:${socket}`]);
    if (flush.status !== 0) throw new Error(`the disk cannot be flushed: ${flush.stderr}`);
  }
  child.kill("SIGKILL");
  await exited;
  await rm(socket, { force: true });
}

async function ssh(state: State, command: string, timeoutMs: number): Promise<Ran> {
  return await attempt("ssh", [...sshArgs(state), "root@127.0.0.1", command], { timeoutMs });
}

function sshArgs({ port, workDir, control }: State): readonly string[] {
  const options = {
    BatchMode: "yes",
    ConnectTimeout: "20",
    ServerAliveInterval: "15",
    ServerAliveCountMax: "8",
    StrictHostKeyChecking: "no",
    UserKnownHostsFile: "/dev/null",
    LogLevel: "ERROR",
    // A login takes a second of the guest's emulated arithmetic, so all commands share one.
    ControlMaster: "auto",
    ControlPath: control,
    ControlPersist: "yes",
  };
  const words = Object.entries(options).flatMap(([key, value]) => ["-o", `${key}=${value}`]);
  return [...words, "-i", join(workDir, "id"), "-p", String(port)];
}

async function freePort(): Promise<number> {
  return await new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}
