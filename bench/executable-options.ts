// How each choice in building the executable affects its start: the shipped one against single changes.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { makeBlob, SEA_CONFIG } from "../xtask/build/blob.ts";
import { bundle } from "../xtask/build/bundle.ts";
import { build } from "../xtask/build.ts";
import { dropSections } from "../xtask/elf/drop-sections.ts";
import { injectBlob } from "../xtask/elf/inject.ts";
import { isArchitecture } from "../xtask/runtime/locked.ts";
import type { Tree } from "../xtask/task.ts";
import type { Bench } from "./bench.ts";
import { createReport } from "./figures.ts";
import { FLOOR, measure } from "./measure.ts";
import { bareRuntime } from "./start-up.ts";

interface Variant {
  readonly name: string;
  readonly flags?: readonly string[];
  readonly useCodeCache?: boolean;
  readonly hasEagerBuiltins?: boolean;
  readonly hasLateFunctions?: boolean;
  readonly engine?: "builtin";
}

const VARIANTS: readonly Variant[] = [
  { name: "as shipped" },
  { name: "no code cache", useCodeCache: false, hasLateFunctions: true },
  { name: "functions compiled at first use", hasLateFunctions: true },
  { name: "Node's modules loaded at once", hasEagerBuiltins: true },
  { name: "minified", flags: ["--minify"], hasEagerBuiltins: true, hasLateFunctions: true },
  { name: "Node's own engine", engine: "builtin" },
];

const VERBS = ["--version", "--help", "status"] as const;
const VERSION = "0.0.0";

export const bench: Bench = {
  async run(tree, { rounds = 25 }) {
    const runtime = await bareRuntime(tree);
    const programs = [];
    for (const variant of VARIANTS) {
      programs.push({ name: variant.name, program: await make(tree, variant) });
    }
    const reports = [];
    for (const verb of VERBS) {
      const contenders = programs.map((it) => ({ ...it, args: [verb] }));
      const measured = await measure(tree, [FLOOR, runtime, ...contenders], { rounds });
      const names = { baseline: runtime.name, floor: FLOOR.name };
      reports.push(createReport(measured, { title: `bootc ${verb}`, ...names }));
    }
    return reports;
  },
};

/** Builds one variant and returns its path. */
async function make(tree: Tree, variant: Variant): Promise<string> {
  const folder = join(tree.top, "target", "bench", variant.name.replaceAll(/\W+/g, "-"));
  const out = join(folder, "bootc");
  await mkdir(folder, { recursive: true });
  const architecture = isArchitecture(process.arch) ? process.arch : "x64";
  if (variant.engine !== undefined) {
    return await build(tree, { architecture, engine: variant.engine, out, version: VERSION });
  }
  const { flags = [], hasEagerBuiltins = false, hasLateFunctions = false } = variant;
  const choices = { flags, hasEagerBuiltins, hasLateFunctions };
  await bundle(tree, { version: VERSION, folder, ...choices });
  const config = { ...SEA_CONFIG, useCodeCache: variant.useCodeCache ?? true };
  const blob = await makeBlob(tree, { node: process.execPath, folder, config });
  const node = dropSections(await readFile(process.execPath));
  await writeFile(out, injectBlob(node, await readFile(blob)), { mode: 0o755 });
  return out;
}
