import { expect, test } from "vitest";
import { BootcError } from "../errors.ts";
import { parseYaml } from "./yaml-in.ts";

test.each([
  ["an open list", "a: ["],
  ["an alias of nothing", "a: *b"],
  ["aliases that grow without end", "a: &a [1,1,1]\nb: &b [*a,*a]\n".concat(aliases(40))],
])("invalid YAML, with %s, is a usage error of one line", (_what, text) => {
  const parse = () => parseYaml("the host document", text);
  expect(parse).toThrow(/^the host document is not valid YAML: .+$/);
  expect(parse).toThrow(BootcError);
});

function aliases(count: number): string {
  return Array.from({ length: count }, (_, i) => {
    const before = i === 0 ? "b" : `c${i - 1}`;
    return `c${i}: &c${i} [*${before},*${before},*${before}]\n`;
  }).join("");
}
