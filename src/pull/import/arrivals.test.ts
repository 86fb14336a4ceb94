import { expect, test } from "vitest";
import { allOrAbort, createArrivals } from "./arrivals.ts";

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
