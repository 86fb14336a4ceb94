// The sections of docs/lint.md about the checks, from their own table.
import type { Check } from "../lint/check.ts";

const KINDS = { running: "a running root", alternative: "a directory" } as const;

/** The table of all checks, and a section for each. */
export function formatCheckSections(checks: readonly Check[]): string {
  const sorted = checks.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return [
    "| Check | Severity | Passes when |",
    "| --- | --- | --- |",
    ...sorted.map((it) => `| [${it.name}](#${it.name}) | ${it.severity} | ${it.description} |`),
    "",
    ...sorted.map(formatSection),
  ].join("\n");
}

function formatSection({ name, severity, rootKind, description, reason, fix }: Check): string {
  const where = rootKind === undefined ? "" : `, for ${KINDS[rootKind]} only`;
  const kind = `**${severity[0]?.toUpperCase()}${severity.slice(1)}**${where}. Passes when ${description}.`;
  return [`### ${name}`, "", kind, "", wrap(reason), "", wrap(`**Fix:** ${fix}`), ""].join("\n");
}

/** Lines of at most 110 characters, broken at spaces. */
function wrap(text: string): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + word.length >= 110) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line].join("\n");
}
