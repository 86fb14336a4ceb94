import { expect, test } from "vitest";
import { createLiveLines } from "./live-lines.ts";

/** The output on a terminal with this many columns, with `^` for the escape character. */
function linesOn(columns: number) {
  const terminal = {
    isStdoutTerminal: true,
    isStderrTerminal: true,
    hasColor: false,
    columns,
  };
  const written: string[] = [];
  const live = createLiveLines({ terminal }, (text) =>
    written.push(text.replaceAll("\u001b", "^")),
  );
  return { live, written };
}

test("lines replace the earlier ones in one write", () => {
  const { live, written } = linesOn(80);
  live.draw(["a", "b"]);
  live.draw(["c"]);
  live.draw([]);
  live.draw(["d"]);
  expect(written).toEqual(["a\nb\n", "^[2A^[Jc\n", "^[1A^[J", "d\n"]);
});

test("a note stays above, and the lines are drawn again below it", () => {
  const { live, written } = linesOn(80);
  live.note("first");
  live.draw(["a", "b"]);
  live.note("second");
  live.draw(["c", "d"]);
  expect(written).toEqual(["first\n", "a\nb\n", "^[2A^[Jsecond\na\nb\n", "^[2A^[Jc\nd\n"]);
});

test("at the end nothing is left, and nothing is erased twice", () => {
  const { live, written } = linesOn(80);
  live.draw(["a"]);
  live.end();
  live.end();
  live.note("after");
  expect(written).toEqual(["a\n", "^[1A^[J", "", "after\n"]);
});

// A line that fills the last column may be wrapped, and would be counted as one line of two.
test.each([
  [5, "abcd"],
  [2, "a"],
  [1, "a"],
  [0, "a"],
])("in %d columns, a line is cut before the last column", (columns, want) => {
  const { live, written } = linesOn(columns);
  live.draw(["abcdefgh"]);
  live.note("a note is not cut");
  expect(written[0]).toBe(`${want}\n`);
  expect(written[1]).toBe(`^[1A^[Ja note is not cut\n${want}\n`);
});

test("control characters are drawn visibly, and count with their visible width", () => {
  const { live, written } = linesOn(8);
  live.draw(["\u001b[2J"]);
  live.note("\u001b[2J");
  expect(written).toEqual(["\\u001b[\n", "^[1A^[J\\u001b[2J\n\\u001b[\n"]);
});
