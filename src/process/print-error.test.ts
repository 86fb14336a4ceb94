import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { BootcError } from "../errors.ts";
import { printError } from "./print-error.ts";

const isTerminal = Object.getOwnPropertyDescriptor(process.stderr, "isTTY");
let written = "";

beforeEach(() => {
  written = "";
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    written += String(text);
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  if (isTerminal === undefined) delete (process.stderr as { isTTY?: boolean }).isTTY;
  else Object.defineProperty(process.stderr, "isTTY", isTerminal);
});

function print(error: unknown, { isTTY = false, isJson = false, noColor = "" } = {}): string {
  Object.defineProperty(process.stderr, "isTTY", { value: isTTY, configurable: true });
  vi.stubEnv("NO_COLOR", noColor);
  printError(error, { program: "bootc", isJson });
  return written;
}

const ERROR = new BootcError("it is wrong", { cause: new BootcError("deep down"), hint: "do so" });

test("a line with the causes, and a hint", () => {
  expect(print(ERROR)).toBe("error: it is wrong: deep down\nhint: do so\n");
});

test.each([
  ["a terminal", { isTTY: true }, true],
  ["a terminal with NO_COLOR", { isTTY: true, noColor: "1" }, false],
  ["a file", {}, false],
])("on %s the color is there: %3$s", (_, options, hasColor) => {
  expect(print(ERROR, options).startsWith("\u001b[31merror:\u001b[0m it is wrong")).toBe(hasColor);
});

test("with --json it is one object", () => {
  expect(JSON.parse(print(ERROR, { isJson: true }))).toEqual({
    error: { kind: "failed", message: "it is wrong", causes: ["deep down"], hint: "do so" },
  });
});

test.each([
  [0, "`ausearch -m avc` may show what was denied"],
  [1000, "run it as root"],
])("the hint about a refusal is for who reads it (uid %d)", (uid, hint) => {
  vi.spyOn(process as { geteuid(): number }, "geteuid").mockReturnValue(uid);
  const error = Object.assign(new Error("EACCES: permission denied"), { code: "EACCES" });
  expect(print(error)).toMatch(new RegExp(`\\nhint: .*; ${hint}\\n$`));
});

test("what a registry or an image wrote does not command the terminal", () => {
  const hostile = "\u001b[2J\u009b1mgone\r";
  const shown = "\\u001b[2J\\u009b1mgone\\u000d";
  const error = new BootcError("no", { cause: new BootcError(hostile), hint: hostile });
  expect(print(error)).toBe(`error: no: ${shown}\nhint: ${shown}\n`);
});

test("nor does it with --json, and the text is the same", () => {
  const hostile = "\u009b1mgone \u202e";
  const json = print(new BootcError("no", { cause: new BootcError(hostile) }), { isJson: true });
  expect(json).not.toMatch(/[\u009b\u202e]/);
  expect(JSON.parse(json).error.causes).toEqual([hostile]);
});

test("an error that nobody expected asks for a report, with its stack", () => {
  const text = print(new Error("unreachable: \u001b[2J"));
  expect(text).toContain("error: unreachable: \\u001b[2J\nthis is a defect of bootc");
  expect(text).toContain("print-error.test.ts");
  expect(text).not.toContain("\u001b");
});
