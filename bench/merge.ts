// The merge stage: one large layer with small ones on top, by number of files and of layers.
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Tree } from "../xtask/task.ts";
import type { Bench } from "./bench.ts";
import { createReport, type Report } from "./figures.ts";
import { type Contender, measure } from "./measure.ts";

const LARGEST = 150_000;
const FILES = [10_000, 50_000, LARGEST];
const LAYERS = [8, 64];
const FILES_OF_SMALL = 50;
const FILES_OF_FOLDER = 60;

const MERGE = "merge stage alone";
const WITH_CLOSING = "with its closing transaction";
/** Smaller trees take about as long to merge, and much less time to check out. */
const LIMITS = [
  { name: MERGE, ratioMax: 0.05 },
  { name: WITH_CLOSING, ratioMax: 0.2 },
];

export const bench: Bench = {
  async run(tree, { rounds = 3, layers }) {
    const counts = layers === undefined ? LAYERS : [layers];
    const reports: Report[] = [];
    for (const files of FILES) reports.push(...(await compareAll(tree, { files, counts, rounds })));
    return reports;
  },
};

interface Comparison {
  readonly files: number;
  readonly counts: readonly number[];
  readonly rounds: number;
}

async function compareAll(
  tree: Tree,
  { files, counts, rounds }: Comparison,
): Promise<readonly Report[]> {
  const folder = await mkdtemp(join(tmpdir(), "bootc-bench-"));
  try {
    const repo = join(folder, "repo");
    await tree.ctx.run("ostree", ["init", `--repo=${repo}`, "--mode=bare"]);
    const layers = [await commitLayer(tree, { folder, repo, name: "base", files })];
    for (let i = 1; i < Math.max(...counts); i++) {
      const small = { folder, repo, name: `small-${i}`, files: FILES_OF_SMALL };
      layers.push(await commitLayer(tree, small));
    }
    const reports: Report[] = [];
    for (const count of counts) {
      const some = layers.slice(0, count);
      reports.push(await compare(tree, { repo, layers: some, files, rounds }));
    }
    return reports;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface MergeCase {
  readonly repo: string;
  readonly layers: readonly string[];
  readonly files: number;
  readonly rounds: number;
}

async function compare(tree: Tree, { repo, layers, files, rounds }: MergeCase): Promise<Report> {
  const ours = (stage: string, name: string): Contender => ({
    name,
    program: process.execPath,
    args: [join(import.meta.dirname, "merge-once.ts"), repo, stage, ...layers],
  });
  const stock: Contender = {
    name: "checkout and commit",
    program: "sh",
    args: [join(import.meta.dirname, "baselines", "checkout-merge.sh"), repo, ...layers],
  };
  const merge = ours("merge", MERGE);
  const commit = ours("commit", WITH_CLOSING);
  const measured = await measure(tree, [merge, commit, stock], { rounds });
  return createReport(measured, {
    title: `Merge of ${layers.length} layers, all but one small, ${files} files`,
    baseline: stock.name,
    notes: ["ours includes the start of Node; both commit with ostree's fsync on"],
    limits: files === LARGEST ? LIMITS : [],
  });
}

interface LayerShape {
  readonly folder: string;
  readonly repo: string;
  readonly name: string;
  readonly files: number;
}

/** Small files, spread over as many folders as a system of that size has. */
async function commitLayer({ ctx }: Tree, layer: LayerShape): Promise<string> {
  const content = join(layer.folder, layer.name);
  for (let i = 0; i < layer.files; i += FILES_OF_FOLDER) {
    const folder = join(content, "usr", `share-${Math.floor(i / 6000)}`, `${layer.name}-${i}`);
    await mkdir(folder, { recursive: true });
    const names = Array.from({ length: Math.min(FILES_OF_FOLDER, layer.files - i) }, (_, n) => n);
    await Promise.all(
      names.map((n) => writeFile(join(folder, `${n}.txt`), `${layer.name} ${i} ${n}\n`)),
    );
  }
  const args = [
    "commit",
    `--repo=${layer.repo}`,
    "--orphan",
    "--no-bindings",
    `--tree=dir=${content}`,
  ];
  const commit = (await ctx.read("ostree", args)).trim();
  await rm(content, { recursive: true });
  return commit;
}
