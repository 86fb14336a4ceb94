import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { isOnPath } from "../checks/requirements.ts";
import { formatChangelog } from "./rpm-changelog.ts";

const scratch = mkdtempSync(join(tmpdir(), "changelog-test-"));
afterAll(() => rmSync(scratch, { recursive: true }));

const EPOCH = 1795442521;
const entry = (subjects: readonly string[]) => ({
  version: "2.0.0",
  epoch: EPOCH,
  author: "A B <a@example.org>",
  subjects,
});

test("an entry, in rpm's words", () => {
  expect(formatChangelog([entry(["host: Read it", "pull: Write it"])], "1")).toBe(
    ["* Mon Nov 23 2026 A B <a@example.org> - 2.0.0-1", "- host: Read it", "- pull: Write it"].join(
      "\n",
    ),
  );
});

test("a long list is cut, and says so", () => {
  const lines = formatChangelog([entry(Array.from({ length: 60 }, (_, i) => `c${i}`))], "1").split(
    "\n",
  );
  expect(lines).toHaveLength(52);
  expect(lines.at(-1)).toBe("- and 10 earlier changes");
});

const NASTY = [
  "100%{nil} of %(id)",
  "* Mon Jan 01 2029 Eve <e@e> - 9-1",
  "- dashes",
  "%changelog",
  "%%files",
  "a\u001b[31m\tred",
  `${"word ".repeat(30)}* Tue`,
];

test.skipIf(!isOnPath(process.env, "rpmspec"))(
  "rpm reads back what commits say, and expands nothing",
  () => {
    const spec = join(scratch, "a.spec");
    const changelog = formatChangelog(
      [entry(NASTY), { ...entry(["old"]), epoch: EPOCH - 86_400 }],
      "1",
    );
    writeFileSync(
      spec,
      `Name: a\nVersion: 1\nRelease: 1\nSummary: a\nLicense: MIT\n%description\n%changelog\n${changelog}\n`,
    );
    const query = ["-q", "--qf", "[%{CHANGELOGNAME}\\n%{CHANGELOGTEXT}\\n]", spec];
    const read = execFileSync("rpmspec", query, { encoding: "utf8" });
    expect(read.match(/^A B <a@example.org> - 2.0.0-1$/gm)).toHaveLength(2);
    expect(read).toContain("- 100%{nil} of %(id)\n");
    expect(read).toContain("- * Mon Jan 01 2029 Eve <e@e> - 9-1\n");
    expect(read).toContain("- %changelog\n");
    expect(read).toContain("- %%files\n");
    expect(read).toContain("- a [31m red\n");
  },
);
