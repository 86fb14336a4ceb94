// Three power cuts in every run of the suite; `xtask power-cuts` makes any number.
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runCuts } from "./cuts.ts";
import { type Lab, missingForLab, openLab } from "./lab.ts";

const missing = await missingForLab();

describe.skipIf(missing !== undefined)(`power cuts${missing ? ` (${missing})` : ""}`, () => {
  let lab: Lab;

  beforeAll(async () => {
    lab = await openLab("cuts-test", { slot: 3 });
  });

  afterAll(async () => {
    await lab?.close();
  });

  test("after each of three cuts the machine is intact and can be updated", {
    timeout: 3_600_000,
  }, async () => {
    const journal = join(lab.dir, "journal.jsonl");
    const cuts = await runCuts(lab, {
      count: 3,
      seed: process.env.BOOTC_CUTS_SEED ?? "three",
      journal,
    });
    expect(cuts.map((it) => [it.phase, it.mode, it.verdict, it.problems])).toEqual(
      cuts.map((it) => [it.phase, it.mode, "ok", []]),
    );
    expect(cuts).toHaveLength(3);
  });
});
