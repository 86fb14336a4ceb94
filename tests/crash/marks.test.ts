import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { attempt } from "../vm/shell.ts";
import { checkMarks, setMarks } from "./marks.ts";

const sh = async (command: string) => {
  const { status, stdout } = await attempt("sh", ["-c", command]);
  return { status, stdout };
};

let root: string;
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "crash-marks-"));
  for (const it of ["etc", "var"]) mkdirSync(join(root, it));
  expect((await sh(setMarks(root))).status).toBe(0);
});
afterEach(() => rmSync(root, { recursive: true }));

test("all marks that were set are found", async () => {
  expect(await sh(checkMarks(root))).toEqual({ status: 0, stdout: "" });
});

test.each(["/etc/mark", "/var/mark", "/etc/changed-here"])(
  "%s must be there with its content, whatever the others have",
  async (path) => {
    const wrong = { status: 1, stdout: `${path} differs` };
    writeFileSync(join(root, path), "from the image\n");
    expect(await sh(checkMarks(root))).toEqual(wrong);
    rmSync(join(root, path));
    expect(await sh(checkMarks(root))).toEqual(wrong);
  },
);
