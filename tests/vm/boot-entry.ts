// Plays the boot loader: finds the kernel, the initramfs and the command line that the disk starts next.
import { copyFile, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sh } from "./shell.ts";

export interface BootEntry {
  readonly file: string;
  readonly title: string;
  readonly version: number;
  readonly kernel: string;
  readonly initrd: string;
  readonly options: string;
}

/** Parses one Boot Loader Specification entry of type 1, as ostree writes them. */
export function parseBootEntry(file: string, text: string): BootEntry {
  const fields = new Map<string, string>();
  for (const line of text.split("\n")) {
    const match = /^(\S+)\s+(.*)$/.exec(line);
    if (match?.[1] !== undefined && match[2] !== undefined) fields.set(match[1], match[2]);
  }
  const field = (name: string) => {
    const value = fields.get(name);
    if (value === undefined) throw new Error(`${file}: no \`${name}\``);
    return value;
  };
  return {
    file,
    title: field("title"),
    version: Number(field("version")),
    kernel: field("linux"),
    initrd: field("initrd"),
    options: field("options"),
  };
}

export interface Start {
  readonly entry: BootEntry;
  /** Copies of the kernel and the initramfs, to be removed with `dir`. */
  readonly dir: string;
}

/** Mounts `source` (a raw disk or a partition of it) for `work`, without writing a byte to it. */
export async function withDisk<T>(
  source: string,
  options: { readonly offset?: number; readonly readOnly: boolean },
  work: (dir: string) => Promise<T>,
): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), "bootc-vm-mount-"));
  const offset = options.offset === undefined ? "" : `,offset=${options.offset}`;
  // A boot loader does not replay the journal either: it sees what is on the disk.
  const mode = options.readOnly ? "ro,noload" : "rw";
  await sh("mount", ["-o", `loop,${mode}${offset}`, source, dir]);
  try {
    return await work(dir);
  } finally {
    await sh("umount", [dir]);
    await rm(dir, { recursive: true });
  }
}

/** All entries below `root`, beginning with the one to start. */
export async function readBootEntries(boot: string): Promise<readonly BootEntry[]> {
  const dir = join(boot, "loader/entries");
  const names = (await readdir(dir)).filter((it) => it.endsWith(".conf"));
  const entries = await Promise.all(
    names.map(async (it) => parseBootEntry(it, await readFile(join(dir, it), "utf8"))),
  );
  return entries.sort((a, b) => b.version - a.version);
}

/** The entry that the disk starts next; `boot` is the directory whose `loader` counts. */
export async function readStart(boot: string): Promise<Start> {
  const [entry] = await readBootEntries(boot);
  if (entry === undefined) throw new Error("the disk has no boot entry");
  const dir = await mkdtemp(join(tmpdir(), "bootc-vm-kernel-"));
  // ostree before 2023.2 writes paths below the boot file system, later ones paths below the root.
  const inside = (path: string) => join(boot, path.replace(/^\/boot\//, "/"));
  await copyFile(inside(entry.kernel), join(dir, "vmlinuz"));
  await copyFile(inside(entry.initrd), join(dir, "initramfs"));
  return { entry, dir };
}
