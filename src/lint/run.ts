// Runs the checks over one root, and collects what they find.
import { BootcError } from "../errors.ts";
import type { Check, Finding, Subject } from "./check.ts";
import { absolute } from "./formats/quote.ts";
import {
  describeUnused,
  parseSuppressions,
  SUPPRESSIONS_FILE,
  type Suppression,
  suppress,
} from "./suppressions.ts";
import { CHECKS } from "./table.ts";

export interface Report {
  /** Checks with findings, in order. */
  readonly found: readonly Found[];
  readonly skipped: readonly SkippedCheck[];
  readonly passed: number;
  /** How many findings the image itself suppresses. */
  readonly suppressed: number;
  /** A check that could not run; the first of several. */
  readonly failure: FailedCheck | undefined;
}

export interface Found {
  readonly check: Pick<Check, "name" | "severity">;
  readonly findings: readonly Finding[];
}

export interface SkippedCheck {
  readonly name: string;
  /** Undefined when nobody has to be told. */
  readonly reason: string | undefined;
}

export interface FailedCheck {
  readonly name: string;
  readonly error: BootcError;
}

export interface CheckOptions {
  readonly skip: readonly string[];
}

/** What reports a suppression that matches nothing; it can be skipped like a check. */
export const UNUSED_SUPPRESSIONS = "unused-suppressions";

export function runChecks(subject: Subject, { skip }: CheckOptions): Report {
  const suppressions = parseSuppressions(subject.tree.readText(SUPPRESSIONS_FILE) ?? "");
  const found: Found[] = [];
  const skipped: SkippedCheck[] = [];
  const used = new Set<Suppression>();
  let [passed, suppressed, failure]: [number, number, FailedCheck | undefined] = [0, 0, undefined];
  for (const check of CHECKS) {
    const outcome = lookAt(check, subject, skip);
    if ("error" in outcome) failure ??= { name: check.name, error: outcome.error };
    else if ("skipped" in outcome) skipped.push({ name: check.name, reason: outcome.skipped });
    else {
      const left = suppress(check.name, outcome.findings, suppressions);
      for (const it of left.used) used.add(it);
      suppressed += left.suppressed;
      if (left.findings.length === 0) passed += 1;
      else found.push({ check, findings: left.findings });
    }
  }
  const isSkipped = new Set(skipped.map((it) => it.name));
  const unused = suppressions.filter((it) => !used.has(it) && !isSkipped.has(it.name));
  if (!skip.includes(UNUSED_SUPPRESSIONS)) found.push(...reportUnused(unused));
  return { found, skipped, passed, suppressed, failure };
}

type Looked =
  | { readonly findings: readonly Finding[] }
  | { readonly skipped: string | undefined }
  | { readonly error: BootcError };

function lookAt(check: Check, subject: Subject, skip: readonly string[]): Looked {
  const isApplicable = check.rootKind === undefined || check.rootKind === subject.rootKind;
  if (skip.includes(check.name) || !isApplicable) return { skipped: undefined };
  try {
    const outcome = check.look(subject);
    return "skipped" in outcome ? outcome : { findings: outcome };
  } catch (error) {
    if (!(error instanceof BootcError)) throw error;
    return { error };
  }
}

function reportUnused(unused: readonly Suppression[]): readonly Found[] {
  if (unused.length === 0) return [];
  const items = unused.map((it) => ({ shown: describeUnused(it), path: SUPPRESSIONS_FILE }));
  const message = `Found suppressions in ${absolute(SUPPRESSIONS_FILE)} that match nothing`;
  const check = { name: UNUSED_SUPPRESSIONS, severity: "warning" } as const;
  return [{ check, findings: [{ message, items }] }];
}
