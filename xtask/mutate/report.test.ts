import { expect, test } from "vitest";
import { findMutants } from "./mutants.ts";
import { formatScores, formatSurvivors } from "./report.ts";

const text = `f();\nif (a) throw new Error("${"x".repeat(80)}");\n`;
const report = {
  path: "src/a.ts",
  tests: 2,
  mutants: 9,
  judged: findMutants(text)
    .filter((it) => it.kind === "statement")
    .map((it, i) => ({ ...it, verdict: i === 1 ? ("killed" as const) : ("survived" as const) })),
};

test("survivors stand at their lines, with what became of them", () => {
  expect(formatSurvivors(report)).toEqual(["src/a.ts:1: `f();` -> ``"]);
});

test("a long piece is cut", () => {
  const judged = report.judged.map((it) => ({ ...it, verdict: "survived" as const }));
  const [, long] = formatSurvivors({ ...report, judged });
  expect(long).toMatch(/^src\/a\.ts:2: `throw new Error\("x{42}…` -> ``$/);
});

test("the table counts what was tried", () => {
  expect(formatScores([report, { ...report, judged: [] }])).toMatchInlineSnapshot(`
    "| File | Test files | Mutants | Tried | Noticed | Survived | Share |
    | --- | ---: | ---: | ---: | ---: | ---: | ---: |
    | src/a.ts | 2 | 9 | 2 | 1 | 1 | 50 % |
    | src/a.ts | 2 | 9 | 0 | 0 | 0 | - |"
  `);
});
