// A report for people, with the sentences that scripts may know from bootc 1.x.
import type { Finding, Severity } from "../check.ts";
import type { Found, Report } from "../run.ts";

export interface HumanOptions {
  /** Lists of any length are printed whole. */
  readonly isWhole: boolean;
}

const PREFIXES: Readonly<Record<Severity, string>> = {
  fatal: "Failed lint",
  warning: "Lint warning",
  note: "Lint note",
};

const SHOWN_MAX = 5;

/** Lines without the final newline. */
export function formatHuman(report: Report, options: HumanOptions): string {
  return [...report.found.flatMap((it) => formatFound(it, options)), ...formatTotals(report)].join(
    "\n",
  );
}

/** Sentences have a line each; lists share one message, with an empty line behind it. */
function formatFound({ check, findings }: Found, options: HumanOptions): readonly string[] {
  const prefix = `${PREFIXES[check.severity]}: ${check.name}: `;
  const sentences = findings.filter((it) => it.items === undefined || it.isInline);
  const lists = findings.filter((it) => it.items !== undefined && !it.isInline);
  const shown = options.isWhole ? sentences : sentences.slice(0, SHOWN_MAX);
  const left = sentences.length - shown.length;
  return [
    ...shown.map((it) => prefix + formatSentence(it)),
    ...(left > 0 ? [formatMore(left)] : []),
    ...(lists.length > 0
      ? [prefix + lists.map((it) => formatList(it, options)).join("\n"), ""]
      : []),
  ];
}

function formatSentence({ message, items = [] }: Finding): string {
  const [first] = items;
  if (first === undefined) return message;
  const others = items.length > 1 ? ` (and ${items.length - 1} more)` : "";
  return `${message}: ${first.shown}${others}`;
}

function formatList({ message, items = [] }: Finding, { isWhole }: HumanOptions): string {
  const shown = isWhole ? items : items.slice(0, SHOWN_MAX);
  const left = items.length - shown.length;
  return [
    `${message}:`,
    ...shown.map((it) => `  ${it.shown}`),
    ...(left > 0 ? [formatMore(left)] : []),
  ].join("\n");
}

function formatMore(count: number): string {
  return `  ...and ${count} more`;
}

function formatTotals({ found, passed, skipped, suppressed }: Report): readonly string[] {
  const count = (severity: Severity) => found.filter((it) => it.check.severity === severity).length;
  const line = (label: string, number: number) => (number > 0 ? [`${label}: ${number}`] : []);
  return [
    `Checks passed: ${passed}`,
    ...line("Checks skipped", skipped.length),
    ...line("Warnings", count("warning")),
    ...line("Notes", count("note")),
    ...line("Findings suppressed", suppressed),
  ];
}

/** Why checks were skipped that nobody asked to skip: a line for each reason. */
export function describeSkipped({ skipped }: Report): readonly string[] {
  const byReason = new Map<string, string[]>();
  for (const { name, reason } of skipped) {
    if (reason === undefined) continue;
    byReason.set(reason, [...(byReason.get(reason) ?? []), name]);
  }
  return [...byReason].map(([reason, names]) => `note: skipped ${names.join(", ")}: ${reason}`);
}
