// A report in SARIF 2.1.0, which code scanning services and editors read.
import { VERSION } from "../../version.ts";
import type { Check, Severity } from "../check.ts";
import { type Report, UNUSED_SUPPRESSIONS } from "../run.ts";
import { CHECKS } from "../table.ts";
import { type Result, resultsOf } from "./results.ts";

const LEVELS: Readonly<Record<Severity, string>> = {
  fatal: "error",
  warning: "warning",
  note: "note",
};

const HOME = "https://github.com/bootc-ts/bootc";
const SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json";

export function formatSarif(report: Report): string {
  const rules = [...CHECKS.map(ruleOf), UNUSED_RULE];
  const run = {
    tool: {
      driver: { name: "bootc", version: VERSION, informationUri: HOME, rules },
    },
    originalUriBaseIds: { ROOT: { description: { text: "The root of the image." } } },
    invocations: [
      {
        executionSuccessful: report.failure === undefined,
        toolExecutionNotifications: notificationsOf(report),
      },
    ],
    results: resultsOf(report).map((it) => resultOf(it, rules)),
    columnKind: "utf16CodeUnits",
  };
  return JSON.stringify({ $schema: SCHEMA, version: "2.1.0", runs: [run] }, null, 2);
}

interface Rule {
  readonly id: string;
}

function ruleOf({ name, severity, description, reason, fix }: Check) {
  return {
    id: name,
    shortDescription: { text: description },
    fullDescription: { text: reason },
    help: { text: fix, markdown: fix },
    helpUri: `${HOME}/blob/main/docs/lint.md#${name}`,
    defaultConfiguration: { level: LEVELS[severity] },
  };
}

const UNUSED_RULE = {
  id: UNUSED_SUPPRESSIONS,
  shortDescription: { text: "every suppression in lint.toml matches something" },
  defaultConfiguration: { level: "warning" },
};

function resultOf({ name, severity, message, path }: Result, rules: readonly Rule[]) {
  return {
    ruleId: name,
    ruleIndex: rules.findIndex((it) => it.id === name),
    level: LEVELS[severity],
    message: { text: message },
    locations: path === undefined ? [] : [locationOf(path)],
  };
}

function locationOf(path: string) {
  const uri = path.split("/").map(encodeURIComponent).join("/");
  return { physicalLocation: { artifactLocation: { uri, uriBaseId: "ROOT" } } };
}

/** What could not be looked at, and what went wrong. */
function notificationsOf({ skipped, failure }: Report) {
  const notes = skipped.flatMap(({ name, reason }) =>
    reason === undefined ? [] : [notification(name, "note", `skipped: ${reason}`)],
  );
  return failure === undefined
    ? notes
    : [...notes, notification(failure.name, "error", failure.error.message)];
}

function notification(name: string, level: string, text: string) {
  return { level, message: { text }, associatedRule: { id: name } };
}
