// The images people run: a labelled Debian system in 64 chunks, layers on top, its updates, and plain layers.

import { createHash } from "node:crypto";
import {
  appendFileSync,
  closeSync,
  lstatSync,
  openSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Context } from "../../src/system/context.ts";
import { encapsulatedTars } from "../../tests/repo/images/encapsulate.ts";
import { machineOstree } from "../../tests/repo/ostree-versions.ts";
import { createTestRepo, type TestRepo } from "../../tests/repo/test-repo.ts";
import { cached } from "../../tests/vm/cache.ts";
import type { Tree } from "../../xtask/task.ts";
import { applicationLayer, configurationLayer, PLUGINS } from "./application.ts";
import { assignChunks, chooseChunks } from "./chunks.ts";
import {
  compileFileContexts,
  type DebianSystem,
  FILE_CONTEXTS,
  makeDebianSystem,
} from "./debian.ts";
import { createLayout, type LayoutWriter } from "./layout.ts";
import { plainTars } from "./plain.ts";

/**
 * The base alone; with layers on top; with another release of the uppermost layer; with that and 12 changed
 * chunks; with a policy that labels some files of the base and of the application differently; and the same
 * system in plain layers.
 */
export const SYSTEM_IMAGES = [
  "base",
  "derived",
  "new-layer",
  "daily",
  "new-policy",
  "plain",
] as const;
export type SystemImage = (typeof SYSTEM_IMAGES)[number];

const CHUNKS = 64;
const CHANGED_CHUNKS = 12;
const MEBIBYTE = 2 ** 20;

/** The files that make the images, as they are loaded; a change of any of these makes the images anew. */
const SOURCES = [
  ...["application", "chunks", "debian", "layout", "noise", "plain", "system"].map(
    (name) => `${name}.ts`,
  ),
  ...["encapsulate.ts", "selinux-policy.ts", "tar-writer.ts"].map(
    (name) => `../../tests/repo/images/${name}`,
  ),
].map((name) => readFileSync(join(import.meta.dirname, name)));

/** The folder of an OCI layout with all of `SYSTEM_IMAGES`, made once. */
export async function makeSystemImages(tree: Tree): Promise<string> {
  const folder = await cached("bench-images", SOURCES, async (temporary) => {
    tree.ctx.note("making the images of a Debian system, which takes some minutes");
    const work = await mkdtemp(join(tmpdir(), "bootc-bench-system-"));
    const repo = createTestRepo(machineOstree());
    try {
      const system = await makeDebianSystem(tree, join(work, "root"));
      await writeImages(tree, { repo, system, chunks: chunksOf(system) }, temporary);
    } finally {
      repo.remove();
      await rm(work, { recursive: true, force: true });
    }
  });
  return join(folder, "layout");
}

/** A line for reports: how large the images are. */
export async function describeSystemImages(layout: string): Promise<string> {
  return (await readFile(join(layout, "..", "about"), "utf8")).trim();
}

interface Work {
  readonly repo: TestRepo;
  readonly system: DebianSystem;
  /** The chunk of each package. */
  readonly chunks: ReadonlyMap<string, number>;
}

async function writeImages(tree: Tree, work: Work, folder: string): Promise<void> {
  const layout = await createLayout(join(folder, "layout"));
  const { root } = work.system;
  const layerOf = (path: string) => chunkOf(work, path) || 1;
  await layout.add({ name: "plain", tars: plainTars(root, CHUNKS, layerOf), labels: () => ({}) });
  const base = commitSystem(work);
  const [oldTop, newTop] = [1, 2].map(applicationLayer);
  if (oldTop === undefined || newTop === undefined) throw new Error("unreachable: two releases");
  const middle = configurationLayer();
  await addImage(layout, { name: "base", base, top: [] });
  await addImage(layout, { name: "derived", base, top: [middle, oldTop] });
  await addImage(layout, { name: "new-layer", base, top: [middle, newTop] });
  const restore = await changePolicy(tree.ctx, root);
  await addImage(layout, { name: "new-policy", base: commitSystem(work), top: [middle, oldTop] });
  restore();
  changePackages(work, base);
  const daily = commitSystem(work);
  requireChangedChunks(base, daily);
  await addImage(layout, { name: "daily", base: daily, top: [middle, newTop] });
  await writeFile(join(folder, "about"), `${describe(work, base)}\n`);
}

interface SystemCommit {
  readonly commit: string;
  /** The commit layer, then the chunks. */
  readonly tars: readonly Buffer[];
}

/** Commits the tree as it is now, labelled by the policy in it, and splits the commit by package. */
function commitSystem(work: Work): SystemCommit {
  const { repo, system } = work;
  const commit = repo.ostree(
    ...["commit", "--orphan", "--no-bindings", "--timestamp=@0"],
    ...[`--tree=dir=${system.root}`, `--selinux-policy=${system.root}`],
  );
  const { commitLayer, chunks } = encapsulatedTars(repo, commit, {
    style: "newest",
    chunkCount: CHUNKS,
    chunkOf: ({ path }) => chunkOf(work, path),
  });
  return { commit, tars: [commitLayer, ...chunks] };
}

async function addImage(
  layout: LayoutWriter,
  { name, base, top }: { name: SystemImage; base: SystemCommit; top: readonly Buffer[] },
): Promise<void> {
  await layout.add({
    name,
    tars: [...base.tars, ...top],
    labels: (diffIds) => ({
      "ostree.bootable": "1",
      "ostree.commit": base.commit,
      "ostree.final-diffid": diffIds[CHUNKS] ?? "",
    }),
  });
}

function chunksOf({ root, owners }: DebianSystem): ReadonlyMap<string, number> {
  const sizes = new Map<string, number>();
  for (const [path, owner] of owners) {
    const stat = lstatSync(join(root, path), { throwIfNoEntry: false });
    if (stat?.isFile()) sizes.set(owner, (sizes.get(owner) ?? 0) + stat.size);
  }
  return assignChunks(sizes, CHUNKS);
}

/** The layer of the commit itself, 0, has what belongs to no package. */
function chunkOf({ system, chunks }: Work, path: string): number {
  return chunks.get(system.owners.get(path) ?? "") ?? 0;
}

/** Adds rules that label some hundred files differently; the returned function undoes it. */
async function changePolicy(ctx: Context, root: string): Promise<() => void> {
  const policyFile = "usr/etc/selinux/default/policy/policy.33";
  const files = [FILE_CONTEXTS, policyFile, `${FILE_CONTEXTS}.bin`].map((name) => join(root, name));
  const before = files.map((path) => readFileSync(path));
  const [contexts = "", policy = ""] = files;
  const rules = ["/usr/share/zoneinfo(/.*)?", `${PLUGINS}(/.*)?`];
  appendFileSync(contexts, rules.map((rule) => `${rule}\tsystem_u:object_r:usr_t:s0\n`).join(""));
  appendFileSync(policy, "changed\n");
  await compileFileContexts(ctx, root);
  return () => {
    for (const [i, path] of files.entries()) writeFileSync(path, before[i] ?? "");
  };
}

/** Changes every file of the largest package in each of 12 chunks. */
function changePackages(work: Work, base: SystemCommit): void {
  const { root, owners } = work.system;
  const isShared = findShared(work, base);
  const changed = new Set(
    chooseChunks(CHANGED_CHUNKS, CHUNKS).map((wanted) => {
      const [first] = [...work.chunks].find(([, chunk]) => chunk === wanted) ?? [];
      return first;
    }),
  );
  for (const [path, owner] of owners) {
    const full = join(root, path);
    if (!changed.has(owner) || isShared(path) || !isLarge(full)) continue;
    const mark = createHash("sha256").update(path).digest();
    const file = openSync(full, "r+");
    writeSync(file, mark, 0, SMALLEST, 0);
    closeSync(file);
  }
}

/** Files that are smaller could become equal to one another. */
const SMALLEST = 16;

function isLarge(path: string): boolean {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  return stat?.isFile() === true && stat.size >= SMALLEST;
}

/** Whether a path's object has other paths too, since its chunk might change together with this one. */
function findShared({ repo }: Work, { commit }: SystemCommit): (path: string) => boolean {
  const lines = repo.ostree("ls", "-R", "-C", commit).split("\n");
  const byPath = new Map<string, string>();
  const counts = new Map<string, number>();
  for (const line of lines) {
    const [, checksum = "", path = ""] = /^-.* ([0-9a-f]{64}) \/(.*)$/.exec(line) ?? [];
    byPath.set(path, checksum);
    counts.set(checksum, (counts.get(checksum) ?? 0) + 1);
  }
  return (path) => (counts.get(byPath.get(path) ?? "") ?? 0) !== 1;
}

function requireChangedChunks(before: SystemCommit, after: SystemCommit): void {
  const changed = after.tars.filter((tar, i) => i > 0 && before.tars[i]?.equals(tar) !== true);
  if (changed.length === CHANGED_CHUNKS) return;
  throw new Error(`the daily update changes ${changed.length} chunks, want ${CHANGED_CHUNKS}`);
}

function describe({ repo }: Work, { commit, tars }: SystemCommit): string {
  const lines = repo.ostree("ls", "-R", commit).split("\n");
  const count = (type: string) => lines.filter((line) => line.startsWith(type)).length;
  const bytes = tars.reduce((sum, tar) => sum + tar.length, 0);
  const parts = [
    `${count("-")} files, ${count("l")} links, ${count("d")} directories`,
    `${Math.round(bytes / MEBIBYTE)} MiB in ${tars.length} layers, commit ${commit.slice(0, 12)}`,
  ];
  return `the base: ${parts.join(", ")}`;
}
