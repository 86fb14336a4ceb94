// A report as one JSON document.
import type { ImageFacts, Known } from "../check.ts";
import type { Report } from "../run.ts";
import { resultsOf } from "./results.ts";

export function formatJsonReport(report: Report, image: Known<ImageFacts>): string {
  const results = resultsOf(report).map(({ name, severity, message, path, isFixable }) => ({
    name,
    severity,
    message,
    path: path === undefined ? null : `/${path}`,
    fixable: isFixable,
  }));
  const document = {
    results,
    passed: report.passed,
    skipped: report.skipped.map(({ name, reason }) => ({ name, reason: reason ?? null })),
    suppressed: report.suppressed,
    failure:
      report.failure === undefined
        ? null
        : { name: report.failure.name, message: report.failure.error.message },
    layers: "value" in image ? image.value.layers : null,
  };
  return JSON.stringify(document, null, 2);
}
