import { expect, test } from "vitest";
import { applyChange, findMutants, mutantKey, sampleOf } from "./mutants.ts";
import type { ChangeKind } from "./operators.ts";

/** Every changed text of one kind. */
function mutate(text: string, kind: ChangeKind): readonly string[] {
  return findMutants(text)
    .filter((it) => it.kind === kind)
    .map((it) => applyChange(text, it));
}

test.each<[what: string, kind: ChangeKind, text: string, want: readonly string[]]>([
  ["a boundary moves by one", "boundary", "a < b", ["a <= b"]],
  ["a comparison is turned round", "operator", "a < b", ["a >= b"]],
  ["so is an equality", "operator", "a !== b", ["a === b"]],
  ["of both conditions one is enough", "operator", "a && b", ["a || b"]],
  ["a default always or never applies", "operator", "a ?? b", ["a", "b"]],
  ["a number is subtracted", "operator", "a + b", ["a - b"]],
  ["a text is not", "operator", 'a + "b"', []],
  ["a negation goes, in brackets", "operator", "!(a || b)", ["(a || b)", "!(a && b)"]],
  ["nobody waits", "await", "await f()", ["(f())"]],
  ["a boolean is the other one", "boolean", "f(true)", ["f(false)"]],
  [
    "a condition holds, and does not",
    "condition",
    "if (a) f()",
    ["if (true) f()", "if (false) f()"],
  ],
  ["a loop does not begin", "condition", "while (a) f()", ["while (false) f()"]],
  ["a statement is left out", "statement", "f(); g()", ["; g()", "f(); ;"]],
  ["nothing is refused", "statement", "throw e", [";"]],
  ["a number grows", "number", "f(0, 7n)", ["f(1, 7n)", "f(0, 8n)"]],
  ["a text is empty", "string", "f('a')", ['f("")']],
  ["an empty one is not", "string", "f('')", ['f("?")']],
  ["a template is empty", "string", "`a$" + "{b}`", ["``"]],
  ["a pattern is no longer tied", "pattern", "/^a$/u", ["/a$/u", "/^a/u"]],
  ["an escaped dollar ties nothing", "pattern", "/a\\$/", []],
])("%s", (_, kind, text, want) => {
  expect(mutate(text, kind)).toEqual(want);
});

test.each([
  'import a from "a";',
  'import type { A } from "a";',
  'export * from "a";',
  'type A = "a" | 1 | true;',
  'interface A { readonly a: "b" }',
  "let a: 1;",
  "let a = b as 1;",
  "const a = { b };",
])("what has no value at run time stays: %s", (text) => {
  expect(findMutants(text)).toEqual([]);
});

test("what is behind a type is changed all the same", () => {
  expect(mutate("const a = (1 satisfies number) as number;", "number")).toHaveLength(1);
});

test("lines and places count characters, not bytes", () => {
  const [mutant] = findMutants('// é\u{1f600}\nconst a = "b";\n');
  expect(mutant).toMatchObject({ line: 2, original: '"b"', replacement: '""' });
});

test("a name belongs to one mutant alone", () => {
  const names = findMutants("if (a < 1 && b) f(a ?? 2);").map(mutantKey);
  expect(new Set(names).size).toBe(names.length);
});

test("a sample is in order, of the size asked for, and its seed decides", () => {
  const all = Array.from({ length: 100 }, (_, i) => i);
  const sample = sampleOf(all, 10, 1);
  expect(sample).toHaveLength(10);
  expect(sample).toEqual([...sample].sort((a, b) => a - b));
  expect(sampleOf(all, 10, 1)).toEqual(sample);
  expect(sampleOf(all, 10, 2)).not.toEqual(sample);
  expect(sampleOf(all, 1000, 1)).toEqual(all);
});
