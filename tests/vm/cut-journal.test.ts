import { expect, test } from "vitest";
import { type Cut, formatJournal, shownCuts } from "./cut-journal.ts";

function cutOf(seed: string, more: Partial<Cut> = {}): Cut {
  return {
    ...{ date: "2026-11-29T00:00:00.000Z", seed, mode: "keeps-writes", phase: "stage" },
    ...{ seen: "stage", afterMs: 1, booted: "old", verdict: "ok", problems: [] },
    ...more,
  };
}

const HARNESS = cutOf("a-1");
const CELL = cutOf("b-1", { cell: "systemd-btrfs", verdict: "failed", problems: ["the ESP"] });
const TABLE = "| under way | power cut | cuts |";
const CELLS = "| under way | power cut | systemd-btrfs |";

test.each([
  ["nothing", [], undefined, [TABLE]],
  ["the harness", [HARNESS], undefined, [TABLE]],
  ["cells", [CELL], undefined, [CELLS]],
  ["both", [HARNESS, CELL], undefined, [TABLE, CELLS]],
  ["both, and one cell is asked for", [HARNESS, CELL], "systemd-btrfs", [TABLE]],
])("the tables of a journal with %s", (_, cuts, cell, want) => {
  const tables = formatJournal(cuts, cell).split("\n\n");
  expect(tables.map((it) => want.find((head) => it.startsWith(head)))).toEqual(want);
});

test("a failed cut is in the last line of its table, and among the cuts that count", () => {
  const cuts = [HARNESS, CELL];
  expect(formatJournal(cuts, undefined).split("\n").at(-1)).toBe("| failed |  | 1 |");
  expect(shownCuts(cuts, undefined)).toEqual(cuts);
  expect(shownCuts(cuts, "systemd-btrfs")).toEqual([CELL]);
  expect(shownCuts(cuts, "grub-ext4")).toEqual([]);
});

test("a cut that came when the machine was off is in no row, but counts", () => {
  const off = cutOf("a-2", { seen: "off", verdict: "failed", problems: ["too late"] });
  const rows = formatJournal([off], undefined).split("\n");
  expect(rows.slice(2, -1).filter((it) => !it.endsWith("| 0 | 0 | 0 | 0 |"))).toEqual([]);
  expect(rows.at(-1)).toBe("| all |  | 1 |  |  | 1 |");
});
