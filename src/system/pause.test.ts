import { expect, test } from "vitest";
import { pause } from "./pause.ts";

const FOREVER_MS = 1 << 30;

test("a pause ends with the signal, by the signal's own reason", async () => {
  const abort = new AbortController();
  const paused = pause({ signal: abort.signal }, FOREVER_MS);
  const reason = new Error("interrupted");
  abort.abort(reason);
  await expect(paused).rejects.toBe(reason);
});

test("a pause after the signal ends at once", async () => {
  const reason = new Error("interrupted");
  const signal = AbortSignal.abort(reason);
  await expect(pause({ signal }, FOREVER_MS)).rejects.toBe(reason);
});

test("without a signal it lasts its time", async () => {
  const { signal } = new AbortController();
  await expect(pause({ signal }, 1)).resolves.toBeUndefined();
});
