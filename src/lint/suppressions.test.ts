import { expect, test } from "vitest";
import { makeImageRoot, subjectOf } from "../testing/image-root.ts";
import { formatHuman } from "./report/human.ts";
import { runChecks } from "./run.ts";
import { parseSuppressions } from "./suppressions.ts";

const table = (name: string, path: string, reason = "it has to be so") =>
  `[[suppress]]\nname = "${name}"\npath = "${path}"\nreason = "${reason}"\n`;

test("a suppression hides what its check finds at its path, and nothing else", async () => {
  const root = await makeImageRoot({
    app: { dir: 0o755 },
    data: { dir: 0o755 },
    "var/log/a/1.log": "x",
    "var/log/a/2.log": "x",
    "var/lib/x": "x",
    "usr/lib/bootc/lint.toml":
      table("toplevel-entries", "/app") +
      table("var-log", "/var/log/a/*") +
      '[[suppress]]\nname = "var-content"\nreason = "all of it"\n',
  });
  const report = runChecks(subjectOf(root), { skip: [] });
  expect(formatHuman(report, { isWhole: false })).toBe(
    "Lint note: toplevel-entries: Unusual entries in the root directory:\n  /data\n\nChecks " +
      "passed: 40\nChecks skipped: 7\nNotes: 1\nFindings suppressed: 5",
  );
});

test("a suppression that matches nothing is reported, unless its check was skipped", async () => {
  const root = await makeImageRoot({
    "usr/lib/bootc/lint.toml":
      table("var-log", "/var/log/gone") + table("no-such-check", "/x") + table("moved-ids", "/x"),
  });
  const report = runChecks(subjectOf(root), { skip: [] });
  expect(formatHuman(report, { isWhole: false })).toContain(
    "Lint warning: unused-suppressions: Found suppressions in /usr/lib/bootc/lint.toml that " +
      "match nothing:\n  var-log /var/log/gone\n  no-such-check /x\n\n",
  );
  expect(runChecks(subjectOf(root), { skip: ["unused-suppressions"] }).found).toEqual([]);
});

test.each([
  ["no reason", '[[suppress]]\nname = "x"\n', /is not valid: suppression 1 has no reason$/],
  ["an empty reason", table("x", "/y", " "), /suppression 1 has no reason$/],
  [
    "several mistakes",
    `other = 1\n${table("", "/y")}paths = []\n`,
    /unknown key `other`; suppression 1 has an unknown key, `paths`; suppression 1 has no name$/,
  ],
  ["not a list", "suppress = 1\n", /`suppress` is not a list$/],
  ["not TOML", "[[", /^`\/usr\/lib\/bootc\/lint.toml` is not valid TOML: line 1/],
])("%s is an error", (_, text, message) => {
  expect(() => parseSuppressions(text)).toThrow(message);
});
