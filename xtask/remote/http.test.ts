import { expect, onTestFinished, test, vi } from "vitest";
import { createTestClock } from "../../tests/test-clock.ts";
import { type HttpAnswer, type HttpRequest, type RequestError, request } from "./http.ts";

type Reply = (signal: AbortSignal) => Response | Promise<Response>;

const URL = "http://server.example/api";
const answer =
  (status: number, headers: Record<string, string> = {}): Reply =>
  () =>
    new Response("{}", { status, headers });
const broken = (message: string, code: string): Reply => {
  const cause = Object.assign(new Error(message), { code });
  return () => {
    throw new TypeError("fetch failed", { cause });
  };
};
const lost = broken("connection reset", "ECONNRESET");
const refused = broken("connection refused", "ECONNREFUSED");
const inTwoMinutes = new Date(createTestClock().now() + 120_000).toUTCString();

interface Sent {
  readonly outcome: HttpAnswer | RequestError;
  readonly pauses: readonly number[];
  readonly tries: number;
}

/** Sends a request to a server that replies with each of `replies`, then with the last one. */
async function send(what: Partial<HttpRequest>, ...replies: readonly Reply[]): Promise<Sent> {
  const clock = createTestClock();
  let tries = 0;
  const fetch: typeof globalThis.fetch = async (input) => {
    tries += 1;
    const reply = replies[Math.min(tries, replies.length) - 1] ?? answer(200);
    return await reply(new Request(input).signal);
  };
  const { signal } = new AbortController();
  const outcome = await request(
    { method: "POST", url: URL, isRepeatable: true, ...what },
    { clock, signal, note: () => {}, fetch },
  ).catch((error: unknown) => error as RequestError);
  return { outcome, pauses: clock.pauses, tries };
}

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
    what: "Retry-After in a server's trouble",
    it: answer(503, { "retry-after": "7" }),
    repeat: true,
    want: 7000,
  },
  { what: "another 403", it: answer(403), repeat: true, want: undefined },
  { what: "a lost connection", it: lost, repeat: true, want: 1000 },
  { what: "the same for a request that may be carried out once", it: lost, repeat: false },
  { what: "a request that was never sent", it: refused, repeat: false, want: 1000 },
])("$what: a pause of $want ms", async ({ it, repeat, want }) => {
  const { pauses, tries } = await send({ isRepeatable: repeat }, it, answer(200));
  expect(pauses).toEqual(want === undefined ? [] : [want]);
  expect(tries).toBe(pauses.length + 1);
});

test("pauses grow, and tries end", async () => {
  const { pauses, outcome } = await send({}, answer(500));
  expect(pauses).toEqual([1000, 2000, 4000, 8000]);
  expect(outcome).toMatchObject({ status: 500, body: new TextEncoder().encode("{}") });
});

test("a status that is an answer here is not tried again", async () => {
  const { outcome, pauses } = await send({ acceptStatuses: [500] }, answer(500));
  expect(outcome).toMatchObject({ status: 500 });
  expect(pauses).toEqual([]);
});

test.each([
  { what: "a lost connection", it: lost, carried: false, patience: false },
  { what: "a refused connection", it: refused, carried: true, patience: false },
  {
    what: "an hour of patience",
    it: answer(429, { "retry-after": "3600" }),
    carried: true,
    patience: true,
  },
])("$what says whether the request was carried out", async ({ it, carried, patience }) => {
  const { outcome } = await send({ isRepeatable: false }, it);
  expect(outcome).toMatchObject({
    kind: "network",
    wasNotCarriedOut: carried,
    asksForPatience: patience,
  });
});

test("a body that breaks off is read again from the beginning", async () => {
  const half = () => {
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(new TextEncoder().encode("ha")),
      pull: (controller) => controller.error(new TypeError("terminated")),
    });
    return new Response(body);
  };
  const { outcome, pauses } = await send({ method: "GET" }, half, () => new Response("whole"));
  expect(outcome).toMatchObject({ body: new TextEncoder().encode("whole") });
  expect(pauses).toEqual([1000]);
});

/** Only an interruption, or a time limit, ends it. */
const silent: Reply = (signal) =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));

test("a server that stays silent for a minute is asked again", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  onTestFinished(() => void vi.useRealTimers());
  const sent = send({ method: "GET" }, silent, answer(200));
  await vi.advanceTimersByTimeAsync(59_999);
  expect(await Promise.race([sent, "waiting"])).toBe("waiting");
  await vi.advanceTimersByTimeAsync(1);
  await vi.runAllTimersAsync();
  expect(await sent).toMatchObject({ outcome: { status: 200 }, pauses: [1000], tries: 2 });
});
