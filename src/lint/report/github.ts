// A report as workflow commands of GitHub, which shows them as annotations.
import type { Severity } from "../check.ts";
import type { Report } from "../run.ts";
import { resultsOf } from "./results.ts";

const COMMANDS: Readonly<Record<Severity, string>> = {
  fatal: "error",
  warning: "warning",
  note: "notice",
};

export function formatGithub(report: Report): string {
  return resultsOf(report)
    .map(({ name, severity, message, path }) => {
      const file = path === undefined ? "" : `file=${escapeProperty(path)},`;
      return `::${COMMANDS[severity]} ${file}title=${escapeProperty(name)}::${escapeData(message)}`;
    })
    .join("\n");
}

/** As GitHub's own toolkit does it. */
function escapeData(text: string): string {
  return text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}

function escapeProperty(text: string): string {
  return escapeData(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
}
