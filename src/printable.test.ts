import { expect, test } from "vitest";
import { parse } from "yaml";
import { formatCanonicalJson } from "./format/canonical-json.ts";
import { formatYaml } from "./format/yaml-out.ts";
import { printable, printableLines } from "./printable.ts";

test.each([
  ["an ordinary text, é and \u{1f600}", "an ordinary text, é and \u{1f600}"],
  ["\u001b[2Jcleared", "\\u001b[2Jcleared"],
  ["\u001b]0;title\u0007", "\\u001b]0;title\\u0007"],
  ["over\rwritten", "over\\u000dwritten"],
  ["42\n  Digest: sha256:0", "42\\u000a  Digest: sha256:0"],
  ["a\tb\b\u007f", "a\\u0009b\\u0008\\u007f"],
  ["a control of one byte: \u009b2J", "a control of one byte: \\u009b2J"],
  ["turned \u202eround\u202c", "turned \\u202eround\\u202c"],
  ["an Arabic letter mark: \u061c", "an Arabic letter mark: \\u061c"],
  ["", ""],
])("of %j a terminal shows %j", (text, want) => {
  expect(printable(text)).toBe(want);
});

test("in whole lines, breaks and tabs stay", () => {
  expect(printableLines("a\n\tb\r\u001b[0m\n")).toBe("a\n\tb\\u000d\\u001b[0m\n");
});

test("JSON and YAML of ours say the same afterwards", () => {
  const document = { text: "\u001b\u007f\u009b\u061c\u200e\u202e\n", list: ["\u2066 #", "a\tb"] };
  expect(JSON.parse(printableLines(formatCanonicalJson(document)))).toEqual(document);
  expect(parse(printableLines(formatYaml(document)))).toEqual(document);
});
