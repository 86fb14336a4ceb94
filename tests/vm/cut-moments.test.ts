import { expect, test } from "vitest";
import { chooseAim, isTooLate, momentOf, problemsBefore, sooner } from "./cut-moments.ts";

const STOPPING =
  "         Stopping \x1b[0;1;39mostree-finalize-staged.…ee Finalize Staged Deployment...\r\n";
const STOPPED =
  "[  OK  ] Stopped \x1b[0;1;39mostree-finalize-staged.…ree Finalize Staged Deployment.\r\n";
const HELD = "[  OK  ] Stopped \x1b[0;1;39mostree-finalize-staged-…inalize Staged Deployment.\r\n";
const BEFORE = "[  OK  ] Stopped target multi-user.target - Multi-User System.\r\n";

test.each([
  ["is being finalized", [STOPPING], false, "finalizing", "either", []],
  ["is held", [STOPPING, HELD], false, "finalizing", "either", []],
  ["is finalized", [STOPPING, STOPPED], false, "shutting down", "new", []],
  ["is finalized, and the machine off", [STOPPING, STOPPED], true, "off", "new", [/3 cuts/]],
  ["is not finalized when the machine ends", [STOPPING], true, "off", "either", [/while ostree/]],
  ["is never finalized", [], true, "off", "either", [/without a word/]],
])("a cut when the update %s", (_, lines, hasEnded, seen, boots, problems) => {
  const moment = momentOf([BEFORE, ...lines].join(""), { hasEnded, afterMs: 7 });
  expect(moment).toMatchObject({ seen, boots, afterMs: 7 });
  expect(problemsBefore(moment)).toEqual(problems.map((it) => expect.stringMatching(it)));
});

test("a cut that comes too late is made again, but at most twice, and not after a fault", () => {
  const off = momentOf(STOPPING + STOPPED, { hasEnded: true, afterMs: 7 });
  expect([1, 2, 3].map((tries) => isTooLate(off, tries))).toEqual([true, true, false]);
  const inTime = momentOf(STOPPING + STOPPED, { hasEnded: false, afterMs: 7 });
  expect(isTooLate(inTime, 1)).toBe(false);
  expect(isTooLate(momentOf("", { hasEnded: true, afterMs: 7 }), 1)).toBe(false);
});

test("a seed chooses the same cut each time, unless a phase or mode is wanted", () => {
  const aim = chooseAim("cells-2");
  expect(chooseAim("cells-2")).toEqual(aim);
  const wish = { phase: "finalize", mode: "keeps-writes" } as const;
  // As in docs/data: 2.3 of 8 seconds.
  expect(chooseAim("cells-2", wish)).toEqual({ ...aim, ...wish, fraction: aim.fraction });
  expect(Math.round(aim.fraction * 80)).toBe(23);
  expect(sooner(aim)).toEqual({ ...aim, fraction: aim.fraction / 2 });
});
