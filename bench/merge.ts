// The merge stage: eight layers of which seven are small, by number of files.
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Tree } from "../xtask/task.ts";
import type { Bench } from "./bench.ts";
import { createReport, type Report } from "./figures.ts";
import { type Contender, measure } from "./measure.ts";

const FILES = [10_000, 50_000, 150_000];
const SMALL_LAYERS = 7;
const FILES_OF_SMALL = 50;
const FILES_OF_FOLDER = 60;

export const bench: Bench = {
  async run(tree, { rounds = 3 }) {
    const reports: Report[] = [];
    for (const files of FILES) reports.push(await compare(tree, files, rounds));
    return reports;
  },
};

async function compare(tree: Tree, files: number, rounds: number): Promise<Report> {
  const folder = await mkdtemp(join(tmpdir(), "bootc-bench-"));
  try {
    const repo = join(folder, "repo");
    await tree.ctx.run("ostree", ["init", `--repo=${repo}`, "--mode=bare"]);
    const layers = [await commitLayer(tree, { folder, repo, name: "base", files })];
    for (let i = 0; i < SMALL_LAYERS; i++) {
      layers.push(
        await commitLayer(tree, { folder, repo, name: `small-${i}`, files: FILES_OF_SMALL }),
      );
    }
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
    const merge = ours("merge", "merge stage alone");
    const commit = ours("commit", "with its closing transaction");
    const measured = await measure(tree, [merge, commit, stock], { rounds, warmUps: 1 });
    return createReport(measured, {
      title: `Merge of 8 layers, 7 of them small, ${files} files`,
      baseline: stock.name,
      limits: [
        { name: merge.name, ratioMax: 0.05 },
        { name: commit.name, ratioMax: 0.2 },
      ],
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface LayerShape {
  readonly folder: string;
  readonly repo: string;
  readonly name: string;
  readonly files: number;
}

/** Small files, spread over as many folders as a system of that size has. */
async function commitLayer({ ctx }: Tree, it: LayerShape): Promise<string> {
  const content = join(it.folder, it.name);
  for (let i = 0; i < it.files; i += FILES_OF_FOLDER) {
    const folder = join(content, "usr", `share-${Math.floor(i / 6000)}`, `${it.name}-${i}`);
    await mkdir(folder, { recursive: true });
    const names = Array.from({ length: Math.min(FILES_OF_FOLDER, it.files - i) }, (_, n) => n);
    await Promise.all(
      names.map((n) => writeFile(join(folder, `${n}.txt`), `${it.name} ${i} ${n}\n`)),
    );
  }
  const args = [
    "commit",
    `--repo=${it.repo}`,
    "--orphan",
    "--no-bindings",
    `--tree=dir=${content}`,
  ];
  const commit = (await ctx.read("ostree", args)).trim();
  await rm(content, { recursive: true });
  return commit;
}
