import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { createGate, runSteps, type Step } from "./steps.ts";

/** Steps that end when the test says so; `log` records the order of beginnings and ends. */
function makeSteps(order: Readonly<Record<string, readonly string[]>>) {
  const log: string[] = [];
  const holds = new Map<string, PromiseWithResolvers<void>>();
  const steps = Object.entries(order).map(([name, after]): Step => {
    const hold = Promise.withResolvers<void>();
    holds.set(name, hold);
    const run = async () => {
      log.push(`begin ${name}`);
      await hold.promise;
      log.push(`end ${name}`);
    };
    return { name, after, run };
  });
  return {
    steps,
    log,
    async end(name: string) {
      holds.get(name)?.resolve();
      await setImmediate();
    },
    async fail(name: string, error = new Error(`${name} failed`)) {
      holds.get(name)?.reject(error);
      await setImmediate();
    },
  };
}

test("each step begins once all before it are done, whatever order they are listed in", async () => {
  const { steps, log, end } = makeSteps({ top: ["base"], base: ["a", "b"], a: [], b: [] });
  const all = runSteps(steps);
  expect(log).toEqual(["begin a", "begin b"]);
  await end("b");
  expect(log).toEqual(["begin a", "begin b", "end b"]);
  await end("a");
  expect(log.slice(3)).toEqual(["end a", "begin base"]);
  await end("base");
  expect(log.slice(5)).toEqual(["end base", "begin top"]);
  await end("top");
  await all;
  expect(log.slice(7)).toEqual(["end top"]);
});

test("a step waits only for the steps it comes after", async () => {
  const { steps, log, end } = makeSteps({ slow: [], quick: [], last: ["quick"] });
  const all = runSteps(steps);
  await end("quick");
  await end("last");
  expect(log).toEqual(["begin slow", "begin quick", "end quick", "begin last", "end last"]);
  await end("slow");
  await all;
});

test("after a failure dependent steps never begin, and the others end before the error is thrown", async () => {
  const { steps, log, end, fail } = makeSteps({ a: [], b: [], afterA: ["a"], afterB: ["b"] });
  let isOver = false;
  const all = runSteps(steps).finally(() => {
    isOver = true;
  });
  const thrown = expect(all).rejects.toThrow("a failed");
  await fail("a");
  expect(isOver).toBe(false);
  await end("b");
  expect(isOver).toBe(false);
  await end("afterB");
  await thrown;
  expect(log).toEqual(["begin a", "begin b", "end b", "begin afterB", "end afterB"]);
});

test("if several steps fail, the error of the one listed first is thrown", async () => {
  const { steps, fail } = makeSteps({ a: [], b: [] });
  const thrown = expect(runSteps(steps)).rejects.toThrow("a failed");
  await fail("b");
  await fail("a");
  await thrown;
});

test("a step that rejects without a reason has failed as well", async () => {
  const steps = [{ name: "a", after: [], run: () => Promise.reject(undefined) }];
  await expect(runSteps(steps)).rejects.toBeUndefined();
});

test("when all are aborted the reason is thrown, and nothing begins any more", async () => {
  const abort = new AbortController();
  const log: string[] = [];
  const wait = (name: string) => async () => {
    log.push(name);
    await new Promise((_, reject) => {
      abort.signal.addEventListener("abort", () => reject(abort.signal.reason));
    });
  };
  const all = runSteps([
    { name: "a", after: [], run: wait("a") },
    { name: "b", after: [], run: wait("b") },
    { name: "c", after: ["a", "b"], run: wait("c") },
  ]);
  abort.abort(new Error("Ctrl-C"));
  await expect(all).rejects.toThrow("Ctrl-C");
  expect(log).toEqual(["a", "b"]);
});

test("steps that can never begin are an error, not a silent success", async () => {
  const { steps } = makeSteps({ a: ["b"], b: ["a"], c: ["nothing"] });
  await expect(runSteps(steps)).rejects.toThrow("unreachable: nothing leads to the steps a, b, c");
});

test("a gate lets so many through at a time, in order, and others when one fails", async () => {
  const gate = createGate(2);
  const log: string[] = [];
  const holds = [0, 1, 2, 3].map(() => Promise.withResolvers<void>());
  const work = holds.map((hold, i) =>
    gate(async () => {
      log.push(`start ${i}`);
      await hold.promise;
    }),
  );
  expect(log).toEqual(["start 0", "start 1"]);
  holds[1]?.reject(new Error("no"));
  await expect(work[1]).rejects.toThrow("no");
  expect(log).toEqual(["start 0", "start 1", "start 2"]);
  for (const it of holds) it.resolve();
  await Promise.allSettled(work);
  expect(log.at(-1)).toBe("start 3");
});
