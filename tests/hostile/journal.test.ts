import { appendFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { describeCounts, parseCounts } from "../../xtask/suites/counts.ts";
import { formatReport } from "../journal-lines.ts";
import { appendTrial, formatTable, readTrials } from "./journal.ts";
import type { Trial } from "./trial.ts";

const RUN = { seed: "1", executable: "abc" };
const GOOD: Trial = {
  name: "tar-1",
  of: "pax",
  done: ["cut"],
  status: 6,
  ms: 1234,
  said: "error: x",
  isClean: true,
  problems: [],
};
const BAD: Trial = {
  ...GOOD,
  name: "tar-2",
  status: 0,
  ms: 10,
  isClean: false,
  problems: ["fsck"],
};

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "hostile-journal-"));
});
afterEach(() => rm(dir, { recursive: true }));

test("a run continues only after its own trials, and after one that was not written completely", async () => {
  const path = join(dir, "made/journal.jsonl");
  expect(await readTrials(path, RUN)).toEqual([]);
  await appendTrial(path, RUN, GOOD);
  await appendTrial(path, { ...RUN, seed: "2" }, BAD);
  await appendTrial(path, { ...RUN, executable: "another" }, BAD);
  await appendFile(path, '{"seed":"1","exec');
  expect(await readTrials(path, RUN)).toEqual([{ ...RUN, ...GOOD }]);
  await appendTrial(path, RUN, BAD);
  expect((await readTrials(path, RUN)).map((it) => it.name)).toEqual(["tar-1", "tar-2"]);
});

test("the table counts by the damaged part", () => {
  expect(formatTable([GOOD, BAD])).toMatchInlineSnapshot(`
    "| damaged | inputs | status 0 | status 6 | slowest, s | fsck | failed |
    | --- | ---: | ---: | ---: | ---: | ---: | ---: |
    | tar pax | 2 | 1 | 1 | 1.2 | 1 | 1 |
    | all | 2 | 1 | 1 | 1.2 | 1 | 1 |"
  `);
});

test("each input counts as a test, and a failure by its name", () => {
  const text = formatReport([GOOD, BAD], "/top/tests/hostile/hostile-inputs.ts");
  expect(describeCounts([parseCounts(text, "/top")])).toBe(
    "failed: tests/hostile/hostile-inputs.ts: tar-2; fsck\n1 passed, 1 failed, 0 skipped",
  );
});
