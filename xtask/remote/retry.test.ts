import { expect, test } from "vitest";
import { createTestClock } from "../../tests/test-clock.ts";
import { pollUntil, type RetryPlan, tryRepeatedly } from "./retry.ts";

const PLAN: RetryPlan = {
  triesMax: 3,
  pauseMs: (failures) => failures * 1000,
  mayRetry: (error) => String(error).includes("passing"),
  describe: (message) => `failed: ${message}`,
};

function patience(signal = new AbortController().signal) {
  const notes: string[] = [];
  return { clock: createTestClock(), signal, notes, note: (line: string) => void notes.push(line) };
}

test.each([
  { what: "succeeds at once", failures: [], tries: 1, pauses: [] },
  {
    what: "succeeds at the last try",
    failures: ["passing", "passing"],
    tries: 3,
    pauses: [1000, 2000],
  },
])("work that $what", async ({ failures, tries, pauses }) => {
  const copr = patience();
  const answer = await tryRepeatedly(copr, PLAN, async (tried) => {
    const failure = failures[tried - 1];
    if (failure !== undefined) throw new Error(failure);
    return tried;
  });
  expect(answer).toBe(tries);
  expect(copr.clock.pauses).toEqual(pauses);
  expect(copr.notes).toEqual(failures.map((it) => `failed: ${it}`));
});

test.each([
  { what: "the last try fails", message: "passing", tries: 3 },
  { what: "the failure would not pass", message: "final", tries: 1 },
])("the error is thrown when $what", async ({ message, tries }) => {
  let tried = 0;
  const failing = tryRepeatedly(patience(), PLAN, async () => {
    tried += 1;
    throw new Error(message);
  });
  await expect(failing).rejects.toThrow(message);
  expect(tried).toBe(tries);
});

test("no pause is made for 0, and an interruption wins over the error", async () => {
  const interrupt = new AbortController();
  const copr = patience(interrupt.signal);
  const failing = tryRepeatedly(copr, { ...PLAN, pauseMs: () => 0 }, async (tried) => {
    if (tried === 2) interrupt.abort(new Error("interrupted"));
    throw new Error("passing");
  });
  await expect(failing).rejects.toThrow("interrupted");
  expect(copr.clock.pauses).toEqual([]);
});

test.each([
  { answers: ["now"], want: "now", pauses: [] },
  { answers: [undefined, undefined, "late"], want: "late", pauses: [500, 500] },
  { answers: [undefined, undefined, undefined, "too late"], want: undefined, pauses: [500, 500] },
])("asking until $want", async ({ answers, want, pauses }) => {
  const { clock, signal } = patience();
  const left = [...answers];
  const plan = { intervalMs: 500, timeLimitMs: 1000 };
  expect(await pollUntil({ clock, signal }, plan, async () => left.shift())).toBe(want);
  expect(clock.pauses).toEqual(pauses);
});
