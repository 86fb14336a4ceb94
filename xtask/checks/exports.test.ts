import { expect, test } from "vitest";
import { findDoubleExports } from "./exports.ts";

test.each([
  ["export function f() {}", "export async function f() {}", true],
  ["export interface F {}", "export type F = 1;", true],
  ["export const F = 1;", "export class F {}", true],
  ["export const f = 1;", "const f = 1;", false],
  ["export const f = 1;", "export const g = 1;", false],
  ["export const task = 1;", "export const task = 2;", false],
])("`%s` beside `%s`: %s", (one, other, isDouble) => {
  const files = [
    { path: "src/a.ts", text: one },
    { path: "xtask/b.ts", text: other },
  ];
  const name = /(\w+) ?[(={]/.exec(one)?.[1];
  const want = [`src/a.ts: \`${name}\` is also exported by xtask/b.ts`];
  expect(findDoubleExports(files)).toEqual(isDouble ? want : []);
});

test("overloads and tests do not count", () => {
  const overload = { path: "src/a.ts", text: "export function f(): 1;\nexport function f(): 2 {}" };
  const elsewhere = { path: "bench/b.ts", text: "export function f() {}" };
  expect(findDoubleExports([overload, elsewhere])).toEqual([]);
});
