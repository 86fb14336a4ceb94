import { expect, test } from "vitest";
import { attempt } from "../../vm/shell.ts";
import { formatQuestions, guestScript, parseSections } from "./guest-script.ts";

test("each answer has what the command printed and its status", async () => {
  const script = formatQuestions({
    good: "echo one; echo two >&2",
    bad: "printf 'no newline'; exit 3",
    next: "echo still asked",
  });
  const { stdout } = await attempt("sh", ["-c", script]);
  expect(Object.fromEntries(parseSections(stdout))).toEqual({
    good: { status: 0, text: "one\ntwo" },
    bad: { status: 3, text: "no newline" },
    next: { status: 0, text: "still asked" },
  });
});

test("a machine that ran the script twice has given no answers", () => {
  const once = "== a\nyes\n\n-- 0\n";
  expect(parseSections(once).size).toBe(1);
  expect(parseSections(`${once}${once}`).size).toBe(0);
});

test("an answer without its end is none: the machine went off before", () => {
  expect([...parseSections("== a\nyes\n\n-- 0\n== b\nhalf of it\n").keys()]).toEqual(["a"]);
});

test.each([undefined, { folder: "/folder", os: "os-2" }])(
  "a shell can parse what asks, with images %j",
  async (images) => {
    const script = guestScript(images);
    expect(script.includes("bootc upgrade")).toBe(images !== undefined);
    expect(await attempt("sh", ["-n", "-c", script])).toMatchObject({ status: 0, stderr: "" });
  },
);
