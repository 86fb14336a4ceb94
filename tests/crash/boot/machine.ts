// Boots a disk once in user-mode Linux, a kernel that is a program: it needs neither hardware support nor emulation, and
// starts systemd in seconds.
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { spawnBound } from "../../vm/shell.ts";

export interface MachineBoot {
  /** A folder of this boot's own. */
  readonly work: string;
  /** The files to start. */
  readonly kernel: string;
  readonly initramfs: string;
  /** The kernel's options, from the boot entry. */
  readonly options: string;
  /** The block devices: the root, and `/boot` if it is separate. */
  readonly root: string;
  readonly boot?: { readonly device: string; readonly type: string };
  /** Runs as soon as systemd starts units; then the machine shuts down. */
  readonly script: string;
  /** After that time, the machine is stopped. */
  readonly limitMs: number;
  /** Stops the machine at once. */
  readonly signal: AbortSignal;
}

export interface BootOutcome {
  /** What the script printed. */
  readonly output: string;
  readonly console: string;
  /** Whether the machine went off by itself. */
  readonly isOff: boolean;
}

export const MEMORY_BYTES = 2 ** 30;

export async function bootOnce(it: MachineBoot): Promise<BootOutcome> {
  const guest = join(it.work, "guest");
  await mkdir(guest, { recursive: true });
  await writeFile(join(guest, "script"), it.script);
  it.signal.throwIfAborted();
  // All processes of the machine end with the first one of their namespace. That is a shell: a kernel that panics aborts
  // itself, and the first process would ignore that signal.
  const namespace = ["--pid", "--fork", "--kill-child", "sh", "-c", '"$@" 2>&1; exit $?', "sh"];
  const child = spawnBound("unshare", [...namespace, it.kernel, ...kernelArguments(it, guest)], {
    stdio: ["ignore", "pipe", "inherit", "pipe"],
    // The memory of the machine is a file there.
    env: { ...process.env, TMPDIR: it.work },
    // Ctrl-C must not reach it; this process stops it.
    detached: true,
  });
  const stop = () => void child.kill("SIGKILL");
  const timer = setTimeout(stop, it.limitMs);
  it.signal.addEventListener("abort", stop);
  try {
    const [, out, , serial] = child.stdio;
    const [, console, output] = await Promise.all([
      once(child, "exit"),
      text(out as Readable),
      text(serial as Readable),
    ]);
    const withoutReturns = (it: string) => it.replaceAll("\r", "");
    return {
      output: withoutReturns(output),
      console: withoutReturns(console),
      isOff: isOff(console),
    };
  } finally {
    clearTimeout(timer);
    it.signal.removeEventListener("abort", stop);
  }
}

/**
 * Exported for tests. The program's status does not tell: it is 0 as well when a machine wants to start again, and once
 * in some hundred times the program aborts after the machine has gone off.
 */
export function isOff(console: string): boolean {
  return /reboot: (?:Power down|System halted)/.test(console);
}

/** Whether the initramfs could not mount the root: another kernel's file system may refuse what this one's takes. */
export function refusesRoot(console: string): boolean {
  return console.includes("mount: /sysroot: ");
}

/** Exported for tests. */
export function kernelArguments(
  it: Pick<MachineBoot, "work" | "initramfs" | "options" | "root" | "boot">,
  guest: string,
): readonly string[] {
  const { boot } = it;
  const second =
    boot === undefined
      ? []
      : [`ubd1=${boot.device}`, `systemd.mount-extra=/dev/ubdb:/boot:${boot.type}`];
  return [
    ...[`initrd=${it.initramfs}`, `mem=${MEMORY_BYTES / 2 ** 20}M`, `ubd0=${it.root}`, ...second],
    ...["con=null", "con0=null,fd:1", "ssl=null", "ssl0=null,fd:3", `uml_dir=${it.work}`],
    // Instead, the machine ends, as if it went off.
    "noreboot",
    // These come last and win over those of the entry. No kernel can load the policy of a recording.
    ...[...it.options.split(" "), "root=/dev/ubda", "rw", "enforcing=0"],
    ...["systemd.show_status=1", `crash-boot=${guest}`],
  ];
}
