import { beforeEach, expect, test, vi } from "vitest";
import { scriptedContext } from "../../testing/scripted-context.ts";
import { backoffMs, retrying } from "./retry.ts";

/** The pauses that were asked for; they end at once. */
const pauses: number[] = [];
beforeEach(() => void pauses.splice(0));

vi.mock("node:timers/promises", async (original) => {
  const { setTimeout } = await original<typeof import("node:timers/promises")>();
  return {
    setTimeout: async (ms: number, value: unknown, options: { signal: AbortSignal }) => {
      pauses.push(ms);
      return await setTimeout(0, value, options);
    },
  };
});

const { ctx } = scriptedContext("/", []);

test.each([
  [1, 500],
  [2, 1000],
  [3, 2000],
  [6, 16_000],
  [7, 30_000],
  [60, 30_000],
])("after %i failures in a row, %i ms pass", (failures, ms) => {
  expect(backoffMs(failures)).toBe(ms);
});

/** Retries what fails so many times, as an error that may pass or as another. */
async function retry(
  failures: number,
  { attemptsMax = 3, passes = true, signal = ctx.signal } = {},
) {
  let attempts = 0;
  const options = { attemptsMax, isTransient: () => passes };
  const result = retrying({ ...ctx, signal }, options, async () => {
    attempts++;
    if (attempts <= failures) throw new Error(`failure ${attempts}`);
    return "done";
  });
  return { said: await result.catch((error: Error) => error.message), attempts };
}

test.each([
  [0, "done", []],
  [1, "done", [500]],
  [2, "done", [500, 1000]],
  [3, "failure 3", [500, 1000]],
])("of three attempts, %i fail: %s", async (failures, said, paused) => {
  expect(await retry(failures)).toEqual({ said, attempts: Math.min(failures + 1, 3) });
  expect(pauses).toEqual(paused);
});

test("what will not pass is not tried again", async () => {
  expect(await retry(1, { passes: false })).toEqual({ said: "failure 1", attempts: 1 });
  expect(pauses).toEqual([]);
});

test("nothing is tried again after the signal", async () => {
  const signal = AbortSignal.abort(new Error("interrupted"));
  expect(await retry(1, { signal })).toEqual({ said: "interrupted", attempts: 1 });
});
