// `xtask tidy`: checks the architecture and other rules of the repository, and lists every violation.
import { glob, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { BootcError } from "../src/errors.ts";
import { findDoubleExports } from "./checks/exports.ts";
import { FOLDERS } from "./checks/folders.ts";
import {
  findCircles,
  findImportViolations,
  findProgramStarts,
  type SourceFile,
  TEST_FILE,
} from "./checks/imports.ts";
import { findPageProblems } from "./checks/pages.ts";
import { defineTask } from "./task.ts";

const LINES_MAX = 400;
const COLUMNS_MAX = 110;
/** The number of files, without tests, in a folder: fewer are not worth a folder, more are hard to survey. */
const FILES_MIN = 3;
const FILES_MAX = 17;
const ARCHITECTURE = "docs/architecture.md";

export const task = defineTask({
  declare: (command) => command.addHelpText("after", "\nExamples:\n  npm run xtask tidy"),
  async run({ ctx, top }) {
    const violations = await findViolations(top);
    for (const violation of violations) ctx.note(violation);
    if (violations.length === 0) return undefined;
    throw new BootcError(`${violations.length} rules of the repository are broken`, {
      hint: `${ARCHITECTURE} explains the rules`,
    });
  },
});

/** Every violation in the checkout at `top`, one line each. */
export async function findViolations(top: string): Promise<readonly string[]> {
  const files: SourceFile[] = [];
  for await (const path of glob("{src,xtask,tests,bench}/**/*.ts", { cwd: top })) {
    files.push({ path, text: await readFile(join(top, path), "utf8") });
  }
  const product = files.filter((it) => !TEST_FILE.test(it.path));
  return [
    ...files.flatMap((it) => [...findLengthViolations(it), ...findHeaderViolations(it)]),
    ...product.flatMap((it) => [...findImportViolations(it), ...findProgramStarts(it)]),
    ...findCircles(product),
    ...findDoubleExports(product),
    ...findSizeViolations(product.map((it) => it.path)),
    ...findUndocumented(await readFile(join(top, ARCHITECTURE), "utf8")),
    ...(await findPageProblems(top)),
  ].sort();
}

/** Folders with too few or too many of `paths`, and rows of the table without a folder. */
export function findSizeViolations(paths: readonly string[]): readonly string[] {
  return Object.entries(FOLDERS).flatMap(([folder, { sizeReason }]) => {
    const count = paths.filter((it) => dirname(it) === folder).length;
    if (count === 0) return [`${folder}: in the table of folders, but not in the checkout`];
    if (sizeReason !== undefined || (count >= FILES_MIN && count <= FILES_MAX)) return [];
    return [`${folder}: ${count} files beside tests, want ${FILES_MIN} to ${FILES_MAX}`];
  });
}

/** Folders that lack their row on the architecture page. */
export function findUndocumented(page: string): readonly string[] {
  return Object.entries(FOLDERS).flatMap(([folder, { question }]) => {
    const row = `| \`${folder}/\` | ${question} |`;
    return page.includes(row) ? [] : [`${ARCHITECTURE}: lacks the row ${row}`];
  });
}

function findLengthViolations({ path, text }: SourceFile): readonly string[] {
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

function findHeaderViolations({ path, text }: SourceFile): readonly string[] {
  if (text.startsWith("// ") || /\.test\.ts$/.test(path)) return [];
  return [`${path}: the first line does not say what the file is for`];
}
