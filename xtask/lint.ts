// `xtask lint`: runs the formatter, the linter, the compiler and our own checks, all of them before failing.
import { BootcError, describeError } from "../src/errors.ts";
import { findWorkflowProblems } from "./checks/workflows.ts";
import { readChangelogFile } from "./release/changelog.ts";
import { defineTask, type Tree } from "./task.ts";
import { findViolations } from "./tidy.ts";

export const task = defineTask({
  declare: (command) =>
    command
      .option("--fix", "fix what can be fixed automatically")
      .addHelpText("after", "\nExamples:\n  npm run xtask lint\n  npm run xtask -- lint --fix"),
  async run(tree, options) {
    const failures = [
      ...(await failuresOf(() => checkFormatAndLint(tree, options.fix === true))),
      ...(await failuresOf(() => checkTypes(tree))),
      ...(await failuresOf(() => readChangelogFile(tree.top))),
      ...(await findViolations(tree.top)),
      ...(await findWorkflowProblems(tree.top)),
    ];
    for (const failure of failures) tree.ctx.note(failure);
    if (failures.length === 0) return undefined;
    throw new BootcError(`${failures.length} checks failed`, {
      hint: "see the lines above; `npm run xtask -- lint --fix` fixes the format",
    });
  },
});

async function checkFormatAndLint({ ctx, top }: Tree, fix: boolean): Promise<void> {
  const biome = "node_modules/@biomejs/biome/bin/biome";
  await ctx.run(
    process.execPath,
    [biome, "check", ...(fix ? ["--write"] : []), "--error-on-warnings"],
    { cwd: top },
  );
}

async function checkTypes({ ctx, top }: Tree): Promise<void> {
  await ctx.run(process.execPath, ["node_modules/typescript/bin/tsc", "--noEmit"], { cwd: top });
}

async function failuresOf(check: () => Promise<unknown>): Promise<readonly string[]> {
  try {
    await check();
    return [];
  } catch (error) {
    return [describeError(error).message.split("\n", 1)[0] ?? "failed"];
  }
}
