import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { formatPlacedCommand } from "./quote.ts";

const INHERITED = { PATH: "/usr/bin:/bin", LANG: "C", GIT_DIR: undefined };

test.each([
  { what: "nothing to add", how: {}, want: "printf '%s\\n' a" },
  {
    what: "a folder with a space",
    how: { cwd: "/tmp/a b" },
    want: "env '--chdir=/tmp/a b' printf '%s\\n' a",
  },
  {
    what: "a variable set, one removed, and one removed that was never there",
    how: { env: { TZ: "UTC", LANG: undefined, GIT_DIR: undefined } },
    want: "env --unset=LANG TZ=UTC printf '%s\\n' a",
  },
  {
    what: "an environment of its own",
    how: { env: { PATH: undefined, LANG: undefined, HOME: "/" } },
    want: "env --ignore-environment HOME=/ printf '%s\\n' a",
  },
])("$what", ({ how, want }) => {
  expect(formatPlacedCommand(["printf", ["%s\\n", "a"]], how, INHERITED)).toBe(want);
});

test("pasted into a shell somewhere else, the line does the same", () => {
  const how = { cwd: "/usr", env: { WORD: "it's\ntwo lines" } };
  const line = formatPlacedCommand(["sh", ["-c", 'pwd; echo "$WORD"']], how, process.env);
  const { stdout } = spawnSync("sh", ["-c", line], { cwd: "/", encoding: "utf8" });
  expect(stdout).toBe("/usr\nit's\ntwo lines\n");
});

test.each([
  { env: { HTTPS_PROXY: "http://me:hush@proxy:3128" }, want: "HTTPS_PROXY=http://***@proxy:3128" },
  { env: { GITHUB_TOKEN: "hush" }, want: "GITHUB_TOKEN=***" },
  { env: { npm_config__auth: "hush" }, want: "npm_config__auth=***" },
  { env: { URL: "http://host:80/a@b" }, want: "URL=http://host:80/a@b" },
])("nobody learns a password from $want", ({ env, want }) => {
  expect(formatPlacedCommand(["true", []], { env }, {})).toContain(want);
});
