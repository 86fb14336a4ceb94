import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";

const TOP = join(import.meta.dirname, "../..");
const BOOTC = `${process.execPath} ${TOP}/src/entry.ts`;

function shell(script: string): { readonly status: number | null; readonly stderr: string } {
  const { status, stderr } = spawnSync("bash", ["-o", "pipefail", "-c", script], {
    encoding: "utf8",
  });
  return { status, stderr };
}

test.each(["--version", "--help", "status --format json", "internals print-json-schema --of host"])(
  "`bootc %s` ends well when nobody reads on",
  (words) => {
    expect(shell(`${BOOTC} ${words} | true`)).toEqual({ status: 0, stderr: "" });
  },
);

test.each(["--version", "status --format json"])("`bootc %s` onto a full disk fails", (words) => {
  expect(shell(`${BOOTC} ${words} > /dev/full`).status).toBe(8);
});

test.each([
  ["upgrade --json --bogus", "unknown option '--bogus'"],
  ["upgrade --json --check --apply", "option '--check' cannot be used with option '--apply'"],
])("words that cannot be parsed are one object with --json: `bootc %s`", (words, message) => {
  const { status, stderr } = shell(`${BOOTC} ${words}`);
  expect(status).toBe(2);
  const error = { kind: "usage", message, causes: [], hint: null };
  expect(JSON.parse(stderr)).toEqual({ error });
});
