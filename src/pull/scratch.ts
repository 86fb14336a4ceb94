// A throw-away repository: objects and refs written as files, moved into the real one by one local pull.

import { mkdirSync, writeFileSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { errnoOf } from "../errors.ts";
import { EMPTY_TREE, EMPTY_TREE_BYTES, type ObjectKind, objectPath } from "../ostree/objects.ts";
import { pullLocal } from "../programs/ostree.ts";
import type { Context } from "../system/context.ts";

/** Every temporary directory of a pull starts so; what a killed run left is found by it. */
const PREFIX = "bootc-pull-";

/** A new temporary directory on the repository's file system, reached through the same mount. */
export async function makeWorkDirectory(repo: string): Promise<string> {
  await mkdir(join(repo, "tmp"), { recursive: true });
  return await mkdtemp(join(repo, "tmp", PREFIX));
}

/** Removes the temporary directories of runs that were killed. Only under the lock of the pull. */
export async function removeWorkDirectories(repo: string): Promise<void> {
  const names = await readdir(join(repo, "tmp")).catch((error: unknown) => {
    if (errnoOf(error) === "ENOENT") return [];
    throw error;
  });
  const ours = names.filter((it) => it.startsWith(PREFIX));
  await Promise.all(ours.map((it) => rm(join(repo, "tmp", it), { recursive: true, force: true })));
}

export interface Scratch {
  readonly top: string;
  /** Written at once; small objects only. */
  add(checksum: string, kind: ObjectKind, bytes: Uint8Array): void;
  setRef(ref: string, commit: string): Promise<void>;
  /**
   * One transaction: afterwards the refs and all that belongs to them (or just `commits`) are in the
   * repository, durable, or nothing is.
   */
  pull(ctx: Context, commits?: readonly string[]): Promise<void>;
  remove(): Promise<void>;
}

/**
 * What is in a scratch repository. `split`: objects as images carry them, compared with their checksums when
 * they are moved. `bare`: objects we have just hashed, which a repository of that mode takes by hard link.
 */
export type ScratchMode = "split" | "bare";

const MODES = { split: "bare-split-xattrs", bare: "bare" } as const;

export async function createScratch(repo: string, mode: ScratchMode = "split"): Promise<Scratch> {
  const top = await makeWorkDirectory(repo);
  await mkdir(join(top, "objects"));
  for (const kind of ["heads", "mirrors", "remotes"]) {
    await mkdir(join(top, "refs", kind), { recursive: true });
  }
  await writeFile(join(top, "config"), `[core]\nrepo_version=1\nmode=${MODES[mode]}\n`);
  const folders = new Set<string>();
  const add: Scratch["add"] = (checksum, kind, bytes) => {
    const path = join(top, objectPath(checksum, kind));
    const folder = dirname(path);
    if (!folders.has(folder)) mkdirSync(folder, { recursive: true });
    folders.add(folder);
    writeFileSync(path, bytes);
  };
  // An encapsulated image leaves it out when /sysroot is its only empty directory.
  add(EMPTY_TREE, "dirtree", EMPTY_TREE_BYTES);
  return {
    top,
    add,
    async setRef(ref, commit) {
      const path = join(top, "refs/heads", ref);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, `${commit}\n`);
    },
    pull: async (ctx, commits = []) =>
      await pullLocal(ctx, repo, { scratch: top, commits, isTrusted: mode === "bare" }),
    remove: async () => await rm(top, { recursive: true, force: true }),
  };
}
