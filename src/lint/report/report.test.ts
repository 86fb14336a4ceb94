import { readFile } from "node:fs/promises";
import { Ajv } from "ajv";
import { expect, test } from "vitest";
import { makeImageRoot, subjectOf } from "../../testing/image-root.ts";
import { runChecks } from "../run.ts";
import { CHECKS } from "../table.ts";
import { formatGithub } from "./github.ts";
import { describeSkipped, formatHuman } from "./human.ts";
import { formatJsonReport } from "./json.ts";
import { formatSarif } from "./sarif.ts";

async function makeReport() {
  const root = await makeImageRoot({
    proc: null,
    "usr/lib/bootc/kargs.d/a.toml": "kargs = 1",
    "var/log/a b,c:100%.log": "x",
    ...Object.fromEntries(Array.from({ length: 7 }, (_, i) => [`run/${i}`, ""])),
  });
  return runChecks(subjectOf(root), { skip: ["os-release"] });
}

test("for people: five of a list, or all", async () => {
  const report = await makeReport();
  expect(formatHuman(report, { isWhole: false })).toMatchInlineSnapshot(`
    "Failed lint: api-base-directories: Missing API filesystem base directory: /proc
    Lint warning: nonempty-run-tmp: Found content in runtime-only directories (/run, /tmp):
      /run/0
      /run/1
      /run/2
      /run/3
      /run/4
      ...and 2 more

    Lint note: var-content: Found files in /var that nothing makes:
      '/var/log/a b,c:100%.log'

    Lint warning: var-log: Found non-empty logfile: '/var/log/a b,c:100%.log'
    Checks passed: 34
    Checks skipped: 8
    Warnings: 2
    Notes: 1"
  `);
  expect(formatHuman(report, { isWhole: true })).toContain("  /run/5\n  /run/6\n\n");
  expect(describeSkipped(report)).toEqual([
    "note: skipped etc-unowned: no package database was found",
    "note: skipped image-labels, layer-sizes, rewritten-files: needs --image",
    "note: skipped moved-ids, new-setuid: needs --base",
  ]);
});

test("for GitHub: an annotation for each thing found, with everything escaped", async () => {
  const lines = formatGithub(await makeReport()).split("\n");
  expect(lines).toHaveLength(10);
  expect(lines[0]).toBe(
    "::error file=proc,title=api-base-directories::Missing API filesystem base directory: /proc",
  );
  expect(lines.at(-1)).toBe(
    "::warning file=var/log/a b%2Cc%3A100%25.log,title=var-log::Found non-empty logfile: " +
      "'/var/log/a b,c:100%25.log'",
  );
});

test("for programs: one document", async () => {
  const document = JSON.parse(formatJsonReport(await makeReport(), { missing: "needs --image" }));
  expect(document).toMatchObject({
    passed: 34,
    suppressed: 0,
    failure: {
      name: "bootc-kargs",
      message: "kargs.d file `a.toml` lacks `kargs`, a list of strings",
    },
    layers: null,
  });
  expect(document.results).toHaveLength(10);
  expect(document.results[0]).toEqual({
    name: "api-base-directories",
    severity: "fatal",
    message: "Missing API filesystem base directory: /proc",
    path: "/proc",
    fixable: true,
  });
  expect(document.skipped).toContainEqual({ name: "moved-ids", reason: "needs --base" });
  expect(document.skipped).toContainEqual({ name: "os-release", reason: null });
});

/** The schema is of draft 4. This validator knows all of its words except the name of the id. */
async function sarifValidator() {
  const file = new URL("fixtures/sarif-2.1.0-rtm.5.schema.json", import.meta.url);
  const { id: _, $schema: __, ...schema } = JSON.parse(await readFile(file, "utf8"));
  return new Ajv({ strict: false, validateFormats: false, unicodeRegExp: false }).compile(schema);
}

test("SARIF is valid, has a rule for each result, and a place for each path", async () => {
  const validate = await sarifValidator();
  const log = JSON.parse(formatSarif(await makeReport()));
  expect(validate(log), JSON.stringify(validate.errors)).toBe(true);
  expect(validate({ ...log, version: "1" })).toBe(false);
  const [run] = log.runs;
  expect(run.tool.driver.rules).toHaveLength(CHECKS.length + 1);
  expect(run.results).toHaveLength(10);
  for (const it of run.results) expect(run.tool.driver.rules[it.ruleIndex].id).toBe(it.ruleId);
  expect(run.results.at(-1)).toMatchObject({
    ruleId: "var-log",
    level: "warning",
    locations: [
      {
        physicalLocation: {
          artifactLocation: { uri: "var/log/a%20b%2Cc%3A100%25.log", uriBaseId: "ROOT" },
        },
      },
    ],
  });
  expect(run.invocations[0].executionSuccessful).toBe(false);
  expect(run.invocations[0].toolExecutionNotifications).toHaveLength(7);
});

test("SARIF without a finding is valid, too", async () => {
  const validate = await sarifValidator();
  const report = runChecks(subjectOf(await makeImageRoot()), { skip: [] });
  const log = JSON.parse(formatSarif(report));
  expect(validate(log), JSON.stringify(validate.errors)).toBe(true);
  expect(log.runs[0].results).toEqual([]);
});
