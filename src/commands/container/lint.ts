// `bootc container lint`: look for mistakes in an image, in its build or in a directory.
import { BootcError } from "../../errors.ts";
import type { Subject } from "../../lint/check.ts";
import { describeRepair, planRepairs, repairPath } from "../../lint/fix.ts";
import { formatList } from "../../lint/list.ts";
import { readSubject, requireRootDirectory, type Sources } from "../../lint/read/subject.ts";
import { formatGithub } from "../../lint/report/github.ts";
import { describeSkipped, formatHuman } from "../../lint/report/human.ts";
import { formatJsonReport } from "../../lint/report/json.ts";
import { formatSarif } from "../../lint/report/sarif.ts";
import { type Report, runChecks, UNUSED_SUPPRESSIONS } from "../../lint/run.ts";
import { CHECKS } from "../../lint/table.ts";
import { readContainerSign } from "../../sysroot/host-kind.ts";
import type { Context } from "../../system/context.ts";

export interface LintOptions {
  readonly rootfs: string;
  readonly fatalWarnings?: boolean;
  readonly list?: boolean;
  readonly skip?: readonly string[];
  /** False for `--no-truncate`. */
  readonly truncate?: boolean;
  readonly format: "human" | "json" | "sarif" | "github";
  readonly base?: string;
  readonly image?: string;
  readonly fix?: boolean;
}

export async function lint(ctx: Context, options: LintOptions): Promise<void> {
  if (options.list === true) {
    ctx.say(formatList());
    return;
  }
  const root = await requireRootDirectory(options.rootfs);
  const sources = { root, base: options.base, image: options.image };
  const { skip = [] } = options;
  noteUnknownNames(ctx, skip);
  if (options.fix === true) await requireFixable(ctx, root);
  let subject = await readSubject(ctx, sources);
  let report = runChecks(subject, { skip });
  if (options.fix === true && repair(ctx, subject, { root, report })) {
    subject = await readAgain(ctx, subject, sources);
    report = runChecks(subject, { skip });
  }
  for (const line of describeSkipped(report)) ctx.note(line);
  const text = formatReport(report, subject, options);
  if (text !== "") ctx.say(text);
  requirePassed(report, options);
}

/** Containerfiles are also read by versions of bootc that have other checks, so it is not an error. */
function noteUnknownNames(ctx: Context, skip: readonly string[]): void {
  const known = new Set([...CHECKS.map((it) => it.name), UNUSED_SUPPRESSIONS]);
  for (const name of skip.filter((it) => !known.has(it))) {
    ctx.note(`note: no check is named \`${name}\`; \`bootc container lint --list\` lists them`);
  }
}

/** Repairs are meant for images; on a machine they would remove its identity. */
async function requireFixable(ctx: Context, root: string): Promise<void> {
  if (root !== "/" || (await readContainerSign(ctx)) !== undefined) return;
  throw new BootcError("--fix does not change the machine it runs on", {
    kind: "unsupported",
    hint: "run it in an image build, or name the root of an image with --rootfs",
  });
}

/** Whether anything was changed. */
function repair(
  ctx: Context,
  { tree }: Subject,
  { root, report }: { readonly root: string; readonly report: Report },
): boolean {
  const done = planRepairs(report).filter((it) => repairPath(root, tree, it));
  for (const it of done) ctx.note(describeRepair(it));
  return done.length > 0;
}

/** The root alone has changed. */
async function readAgain(ctx: Context, before: Subject, { root }: Sources): Promise<Subject> {
  const { tree } = await readSubject(ctx, { root, base: undefined, image: undefined });
  return { ...before, tree };
}

function formatReport(report: Report, { image }: Subject, options: LintOptions): string {
  switch (options.format) {
    case "human":
      return formatHuman(report, { isWhole: options.truncate === false });
    case "json":
      return formatJsonReport(report, image);
    case "sarif":
      return formatSarif(report);
    case "github":
      return formatGithub(report);
  }
}

function requirePassed({ found, failure }: Report, { fatalWarnings }: LintOptions): void {
  if (failure !== undefined) {
    const { name, error } = failure;
    throw new BootcError(`Unexpected runtime error running lint ${name}`, { cause: error });
  }
  const failed = found.filter(
    ({ check: { severity } }) =>
      severity === "fatal" || (severity === "warning" && fatalWarnings === true),
  );
  if (failed.length === 0) return;
  throw new BootcError(`Linting: Checks failed: ${failed.length}`, {
    hint: "docs/lint.md says why each check matters and what to do about it",
  });
}
