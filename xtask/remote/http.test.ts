import { expect, test } from "vitest";
import { createTestClock } from "../../tests/test-clock.ts";
import { decideRetry, type HttpAnswer } from "./http.ts";

const clock = createTestClock();
const answer = (status: number, headers: Record<string, string> = {}, body = ""): HttpAnswer => ({
  status,
  headers: new Headers(headers),
  body: new TextEncoder().encode(body),
});
const lost = { reason: "connection reset", wasNeverSent: false };
const refused = { reason: "connection refused", wasNeverSent: true };
const inTwoMinutes = new Date(clock.now() + 120_000).toUTCString();

test.each([
  { what: "success", it: answer(200), repeat: true, want: undefined },
  { what: "a client's mistake", it: answer(400), repeat: true, want: undefined },
  { what: "a server's trouble", it: answer(503), repeat: true, want: 1000 },
  { what: "the same for a request that may be carried out once", it: answer(503), repeat: false },
  { what: "a rate limit, whatever the request", it: answer(429), repeat: false, want: 60_000 },
  { what: "Retry-After", it: answer(429, { "retry-after": "7" }), repeat: false, want: 7000 },
  {
    what: "Retry-After as a date",
    it: answer(429, { "retry-after": inTwoMinutes }),
    repeat: false,
    want: 120_000,
  },
  {
    what: "GitHub's secondary rate limit",
    it: answer(403, {}, '{"message":"You have exceeded a secondary rate limit"}'),
    repeat: false,
    want: 60_000,
  },
  {
    what: "GitHub's primary rate limit",
    it: answer(403, {
      "x-ratelimit-remaining": "0",
      "x-ratelimit-reset": String(clock.now() / 1000 + 30),
    }),
    repeat: false,
    want: 30_000,
  },
  { what: "another 403", it: answer(403), repeat: true, want: undefined },
  { what: "a lost connection", it: lost, repeat: true, want: 1000 },
  { what: "the same for a request that may be carried out once", it: lost, repeat: false },
  { what: "a request that was never sent", it: refused, repeat: false, want: 1000 },
])("$what: a pause of $want ms", ({ it, repeat, want }) => {
  const retry = decideRetry({ isRepeatable: repeat }, it, { tried: 1, clock });
  expect(retry?.pauseMs).toBe(want);
});

test("pauses grow, and tries end", () => {
  const pauses = [1, 2, 3, 4, 5].map(
    (tried) => decideRetry({ isRepeatable: true }, answer(500), { tried, clock })?.pauseMs,
  );
  expect(pauses).toEqual([1000, 2000, 4000, 8000, undefined]);
});

test("a status that is an answer here is not tried again", () => {
  const what = { isRepeatable: true, acceptStatuses: [500] };
  expect(decideRetry(what, answer(500), { tried: 1, clock })).toBeUndefined();
});
