import { expect, test } from "vitest";
import { allOrAbort, createArrivals, createGate } from "./arrivals.ts";

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

test("who waits for a blob goes on when it arrives, and ends with the pull", async () => {
  const abort = new AbortController();
  const arrivals = createArrivals(["a", "b"], abort.signal);
  arrivals.arrived("a");
  await arrivals.wait("a");
  const waiting = arrivals.wait("b");
  abort.abort(new Error("over"));
  await expect(waiting).rejects.toThrow("over");
  await arrivals.wait("a");
});

test("who waits for a blob that has not come when nothing comes any more is told", async () => {
  const arrivals = createArrivals(["a", "b"], new AbortController().signal);
  arrivals.arrived("a");
  expect(arrivals.missing()).toEqual(["b"]);
  const waiting = arrivals.wait("b");
  arrivals.end(new Error("without b"));
  await expect(waiting).rejects.toThrow("without b");
  await arrivals.wait("a");
});

test("the first error ends the others, and comes when they have ended", async () => {
  const abort = new AbortController();
  const log: string[] = [];
  const slow = new Promise<void>((_, reject) => {
    abort.signal.addEventListener("abort", () => {
      log.push("ended");
      reject(abort.signal.reason);
    });
  });
  const all = allOrAbort(abort, [slow, Promise.reject(new Error("first"))]);
  await expect(all).rejects.toThrow("first");
  expect(log).toEqual(["ended"]);
});
