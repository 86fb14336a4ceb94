import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { formatCheckSections } from "../testing/lint-page.ts";
import { formatHuman } from "./report/human.ts";
import { UNUSED_SUPPRESSIONS } from "./run.ts";
import { CHECKS } from "./table.ts";

const PAGE = join(import.meta.dirname, "../../docs/lint.md");
const MARK =
  "<!-- What follows comes from the checks: `npx vitest run src/lint/page.test.ts -u` writes it anew. -->\n";

test("docs/lint.md has the sections that the checks make", async () => {
  const [written = ""] = (await readFile(PAGE, "utf8")).split(MARK);
  await expect(`${written}${MARK}\n${formatCheckSections(CHECKS)}`).toMatchFileSnapshot(PAGE);
});

test("names are unique, in kebab-case, and no text lacks its period", () => {
  const names = [...CHECKS.map((it) => it.name), UNUSED_SUPPRESSIONS];
  expect(new Set(names).size).toBe(names.length);
  for (const { name, description, reason, fix } of CHECKS) {
    expect(name).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/);
    expect(description, name).not.toMatch(/\.$|^[A-Z]/);
    expect(reason, name).toMatch(/\.$/);
    expect(fix, name).toMatch(/\.$/);
  }
});

test("the 14 checks of bootc 1.x have the severity they have there", () => {
  const severity = (name: string) => CHECKS.find((it) => it.name === name)?.severity;
  const named = (names: string) => names.split(" ").map(severity);
  const fatal = "api-base-directories baseimage-root bootc-kargs etc-usretc kernel utf8 var-run";
  const warning =
    "baseimage-composefs buildah-injected nonempty-boot nonempty-run-tmp sysusers var-log var-tmpfiles";
  expect(new Set(named(fatal))).toEqual(new Set(["fatal"]));
  expect(new Set(named(warning))).toEqual(new Set(["warning"]));
  // A check of ours never fails an image that bootc 1.x accepts, unless warnings are made fatal.
  const ours = CHECKS.filter((it) => !`${fatal} ${warning}`.split(" ").includes(it.name));
  expect(ours.filter((it) => it.severity === "fatal")).toEqual([]);
  expect(ours.length).toBeGreaterThanOrEqual(20);
});

test("the page's example of a report is what is printed", async () => {
  const page = await readFile(PAGE, "utf8");
  const report = {
    found: [
      {
        check: { name: "var-log", severity: "warning" as const },
        findings: [
          {
            message: "Found non-empty logfile",
            isInline: true,
            items: [{ shown: "/var/log/dnf5.log" }],
          },
        ],
      },
      {
        check: { name: "world-writable", severity: "warning" as const },
        findings: [
          {
            message: "Found world-writable files or directories",
            items: [{ shown: "/usr/share/app/cache 0777" }],
          },
        ],
      },
    ],
    skipped: [],
    passed: 41,
    suppressed: 0,
    failure: undefined,
  };
  const lines = formatHuman(report, { isWhole: false }).split("\n");
  expect(page).toContain(lines.map((it) => (it === "" ? "" : `    ${it}`)).join("\n"));
});
