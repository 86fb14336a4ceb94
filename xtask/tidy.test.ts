import { expect, test } from "vitest";
import { FOLDERS } from "./checks/folders.ts";
import { findSizeViolations, findUndocumented } from "./tidy.ts";

test("a folder that holds too few or too many files, or is not there, is named", () => {
  const files = (folder: string, count: number) =>
    Array.from({ length: count }, (_, i) => `${folder}/${i}.ts`);
  const others = Object.keys(FOLDERS).filter((it) => !it.startsWith("src/i"));
  const paths = [
    ...others.flatMap((it) => files(it, 3)),
    ...files("src/image", 2),
    ...files("src/install", 18),
    ...files("src/install/disk", 17),
    ...files("src/install/machine", 3),
  ];
  expect(findSizeViolations(paths)).toEqual([
    "src/image: 2 files beside tests, want 3 to 17",
    "src/install: 18 files beside tests, want 3 to 17",
    "src/install/plan: in the table of folders, but not in the checkout",
  ]);
});

test("a folder without its row on the page of the architecture is named", () => {
  const rows = Object.entries(FOLDERS).map(([name, it]) => `| \`${name}/\` | ${it.question} | |`);
  expect(findUndocumented(rows.join("\n"))).toEqual([]);
  expect(findUndocumented(rows.slice(1).join("\n"))).toEqual([
    "docs/architecture.md: lacks the row | `src/` | where does it start |",
  ]);
});
