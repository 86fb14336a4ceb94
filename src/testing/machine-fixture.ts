// Lays out a machine's files, captured on a real one, under a temporary directory.
import { mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";
import { formatDictionary } from "../ostree/objects.ts";

interface Capture {
  /** The booted deployment, `COMMIT.SERIAL`. */
  readonly booted: string;
  readonly files: Readonly<
    Record<string, { readonly dir?: true; readonly link?: string; readonly base64?: string }>
  >;
}

export interface Machine {
  readonly root: string;
  /** The name of the booted deployment. */
  readonly booted: string;
}

/** Lays out the capture in `file` as a booted machine; needs root and a mount namespace of its own. */
export async function layOutMachine(file: URL): Promise<Machine> {
  const { booted, files } = JSON.parse(await readFile(file, "utf8")) as Capture;
  const root = await mkdtemp(join(tmpdir(), "machine-"));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  for (const [name, it] of Object.entries(files)) {
    const path = join(root, name);
    await mkdir(it.dir === true ? path : dirname(path), { recursive: true });
    if (it.link !== undefined) await symlink(it.link, path);
    if (it.base64 !== undefined) await writeFile(path, Buffer.from(it.base64, "base64"));
  }
  await writeProcess(root);
  await markBooted(root, join(root, "sysroot/ostree/deploy/default/deploy", booted));
  return { root, booted };
}

/** Writes to /run/ostree-booted, as ostree 2024.2 and newer do, which directory `/` comes from. */
async function markBooted(root: string, deployment: string): Promise<void> {
  const { dev, ino } = await stat(deployment, { bigint: true });
  const value = { type: "(tt)", value: [dev, ino] };
  await writeFile(
    join(root, "run/ostree-booted"),
    formatDictionary([["backing-root-device-inode", value]]),
  );
}

async function writeProcess(root: string): Promise<void> {
  for (const [pid, mounts] of [
    ["self", "mnt:[2]"],
    ["1", "mnt:[1]"],
  ] as const) {
    await mkdir(join(root, "proc", pid, "ns"), { recursive: true });
    await symlink(mounts, join(root, "proc", pid, "ns/mnt"));
  }
  await writeFile(
    join(root, "proc/self/status"),
    "Name:\tbootc\nUid:\t0\t0\t0\t0\nCapBnd:\t000001ffffffffff\n",
  );
}
