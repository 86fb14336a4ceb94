import { expect, test } from "vitest";
import { parseTrace } from "./block-trace.ts";

/** As the kernel prints it. */
function makeTrace(events: readonly string[], [kept, all] = [events.length, events.length]) {
  return [
    "# tracer: nop",
    "#",
    `# entries-in-buffer/entries-written: ${kept}/${all}   #P:2`,
    "#",
    "#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION",
    ...events.map(
      (it) => `           mount-4711    [001] .....  1234.567890: block_bio_queue: ${it}`,
    ),
    "",
  ].join("\n");
}

const STARTS = new Map([
  ["7,0", 0],
  ["7,1", 1000],
]);

test("reads and writes are told apart, by places on the disk", () => {
  const traced = parseTrace(
    makeTrace([
      "7,0 R 2 + 2 [mount]",
      "7,1 RM 8 + 1 [mount]",
      "7,1 WS 16 + 2 [mount]",
      "7,0 FWFSM 40 + 1 [jbd2/loop0-8]",
      "7,0 DS 50 + 1 [btrfs]",
      "7,2 R 0 + 8 [another disk]",
      "7,0 FF 0 + 0 [mount]",
    ]),
    STARTS,
  );
  expect([...(traced?.read ?? [])]).toEqual([2, 3, 1008]);
  expect([...(traced?.written ?? [])]).toEqual([1016, 1017, 40, 50]);
});

test("what is read after it was written does not depend on what was there", () => {
  const traced = parseTrace(
    makeTrace(["7,0 W 4 + 2 [a]", "7,0 R 3 + 4 [a]", "7,0 W 3 + 1 [a]"]),
    STARTS,
  );
  expect([...(traced?.read ?? [])]).toEqual([3, 6]);
  expect([...(traced?.written ?? [])]).toEqual([4, 5, 3]);
});

test("a trace with a gap is of no use", () => {
  const events = ["7,0 R 2 + 2 [mount]"];
  expect(parseTrace(makeTrace(events, [1, 2]), STARTS)).toBeUndefined();
  expect(parseTrace("", STARTS)).toBeUndefined();
  expect(parseTrace(makeTrace([]), STARTS)).toEqual({ read: new Set(), written: new Set() });
});
