// `xtask tidy`: the architecture as a table that fails the build. Lists every violation before failing.
import { glob, readFile } from "node:fs/promises";
import { dirname, join, normalize } from "node:path";
import type { Command } from "commander";
import { BootcError } from "../src/errors.ts";
import type { Task } from "./task.ts";

/** Who may import whom, besides themselves and `src/errors.ts`. Commands never import one another. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  "src/format": [],
  "src/image": [],
  "src/ostree": ["src/host", "src/image"],
  "src/system": [],
  "src/process": ["src/system"],
  "src/host": ["src/format", "src/image"],
  "src/tar": ["src/ostree", "src/pull"],
  "src/sysroot": [
    "src/format",
    "src/host",
    "src/image",
    "src/ostree",
    "src/programs",
    "src/system",
  ],
  "src/programs": [
    "src/format",
    "src/host",
    "src/image",
    "src/install",
    "src/ostree",
    "src/sysroot",
    "src/system",
    "src/cli/tree.ts",
  ],
  "src/progress": ["src/format", "src/host", "src/image", "src/system"],
  "src/repository": [
    "src/format",
    "src/host",
    "src/image",
    "src/ostree",
    "src/programs",
    "src/pull",
    "src/sysroot",
    "src/system",
  ],
  // The version names the importer.
  "src/pull": [
    "src/format",
    "src/host",
    "src/image",
    "src/ostree",
    "src/programs",
    "src/progress",
    "src/repository",
    "src/sysroot",
    "src/system",
    "src/tar",
    "src/cli/tree.ts",
    "src/version.ts",
  ],
  "src/deploy": [
    "src/format",
    "src/host",
    "src/image",
    "src/install",
    "src/ostree",
    "src/programs",
    "src/progress",
    "src/pull",
    "src/repository",
    "src/sysroot",
    "src/system",
  ],
  // Shared by the verbs of one group, as the stages of a pull are.
  "src/install": [
    "src/deploy",
    "src/format",
    "src/host",
    "src/image",
    "src/ostree",
    "src/programs",
    "src/progress",
    "src/pull",
    "src/repository",
    "src/sysroot",
    "src/system",
  ],
  "src/commands": [
    "src/cli",
    "src/deploy",
    "src/format",
    "src/host",
    "src/image",
    "src/install",
    "src/ostree",
    "src/programs",
    "src/progress",
    "src/pull",
    "src/repository",
    "src/sysroot",
    "src/system",
    "src/cli/tree.ts",
    "src/version.ts",
  ],
  // Of image, the words that an option takes.
  "src/cli": ["src/commands", "src/image", "src/system", "src/version.ts"],
  src: ["src/cli", "src/commands", "src/process", "src/system"],
  xtask: ["src/process", "src/system", "src/cli/program.ts", "src/cli", "src/cli/tree.ts"],
};

/** Tests and their helpers may reach further; the product may not reach into them. */
const TEST_FILE = /\.test\.ts$|^src\/testing\/|^tests\/|^bench\//;

const LINES_MAX = 400;
const COLUMNS_MAX = 110;

export const task: Task = {
  declare: (command: Command) => command.addHelpText("after", "\nExamples:\n  npm run xtask tidy"),
  async run({ ctx, top }) {
    const violations = await findViolations(top);
    for (const violation of violations) ctx.note(violation);
    if (violations.length === 0) return undefined;
    throw new BootcError(`${violations.length} rule(s) of the repository broken`, {
      hint: "the rules stand in docs/architecture.md",
    });
  },
};

/** Every broken rule of the checkout at `top`, one line each. */
export async function findViolations(top: string): Promise<readonly string[]> {
  const violations: string[] = [];
  for await (const path of glob("{src,xtask,tests,bench}/**/*.ts", { cwd: top })) {
    const text = await readFile(join(top, path), "utf8");
    violations.push(
      ...findImportViolations(path, text),
      ...findLengthViolations(path, text),
      ...findHeaderViolations(path, text),
    );
  }
  return violations.sort();
}

/** Imports in `text`, the file at `path`, that the table does not allow. */
export function findImportViolations(path: string, text: string): readonly string[] {
  if (TEST_FILE.test(path)) return [];
  const from = folderOf(path);
  return importsOf(path, text).flatMap((target) => {
    if (isAllowed(path, from, target)) return [];
    return [`${path}: ${from} may not import ${target}`];
  });
}

function isAllowed(path: string, from: string, target: string): boolean {
  if (target === "src/errors.ts") return true;
  if (target.startsWith("bench/")) return path === "xtask/bench.ts";
  if (TEST_FILE.test(target)) return false;
  if (target === "execa") return from === "src/system";
  if (!target.startsWith("src/") && !target.startsWith("xtask/")) return true;
  const to = folderOf(target);
  if (to === from) return from !== "src/commands" || path === target;
  const allowed = MAY_IMPORT[from] ?? [];
  return allowed.includes(to) || allowed.includes(target);
}

/** `src/image/x.ts` is in `src/image`, `src/main.ts` in `src`, everything of xtask in `xtask`. */
function folderOf(path: string): string {
  const [top = "", second = "", ...rest] = path.split("/");
  return top === "src" && rest.length > 0 ? `src/${second}` : top;
}

function importsOf(path: string, text: string): readonly string[] {
  const specifiers = text.matchAll(/(?:^|\s)(?:import|from|import\()\s*\(?"([^"]+)"/gm);
  return [...specifiers].map(([, name = ""]) =>
    name.startsWith(".") ? normalize(join(dirname(path), name)) : name,
  );
}

function findLengthViolations(path: string, text: string): readonly string[] {
  const lines = text.split("\n");
  const limit = TEST_FILE.test(path) ? LINES_MAX * 2 : LINES_MAX;
  const long =
    lines.length - 1 > limit ? [`${path}: ${lines.length - 1} lines, at most ${limit}`] : [];
  const wide = lines.flatMap((line, i) =>
    line.length > COLUMNS_MAX && !/https?:\/\//.test(line) && !TEST_FILE.test(path)
      ? [`${path}:${i + 1}: ${line.length} columns, at most ${COLUMNS_MAX}`]
      : [],
  );
  return [...long, ...wide];
}

function findHeaderViolations(path: string, text: string): readonly string[] {
  if (text.startsWith("// ") || /\.test\.ts$/.test(path)) return [];
  return [`${path}: the first line does not say what the file is for`];
}
