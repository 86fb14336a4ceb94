import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { BootcError, describeError } from "../../src/errors.ts";
import { createContext } from "../../src/system/run.ts";
import { UNPACED } from "../../tests/github-server.ts";
import { createTestClock, type TestClock } from "../../tests/test-clock.ts";
import { ask, connectGitHub, type GitHub } from "./github.ts";

type Reply = () => Response;

const REPOSITORY = { owner: "tester", repo: "demo" };
const json = (body: string, status: number, headers: Record<string, string> = {}) =>
  new Response(body, { status, headers: { "content-type": "application/json", ...headers } });
const answer =
  (status: number, headers?: Record<string, string>, body = "{}"): Reply =>
  () =>
    json(body, status, headers);
const lost: Reply = () => fail("ECONNRESET");
const refused: Reply = () => fail("ECONNREFUSED");
const SECONDARY = '{"message":"You have exceeded a secondary rate limit"}';
const good = answer(200);

let clock: TestClock;
let interrupt: AbortController;
let replies: Reply[];
let tries: number;
let github: GitHub;

function fail(code: string): Response {
  throw new TypeError("fetch failed", { cause: Object.assign(new Error("no"), { code }) });
}

beforeEach(async () => {
  clock = createTestClock();
  // The plugin reads the machine's clock.
  vi.useFakeTimers({ toFake: ["Date"], now: clock.now() });
  interrupt = new AbortController();
  replies = [];
  tries = 0;
  const fetch = async () => {
    tries += 1;
    return (replies.shift() ?? good)();
  };
  const env = { GITHUB_TOKEN: "t", GITHUB_API_URL: "http://github.example" };
  const ctx = { ...createContext({ env, signal: interrupt.signal }), note: () => {} };
  const tree = { ctx, top: "/", mayInstall: false };
  github = await connectGitHub(tree, REPOSITORY, { clock, fetch, pace: UNPACED });
});

afterEach(() => vi.useRealTimers());

const read = () => ask("it", () => github.octokit.repos.get(REPOSITORY));
const create = () =>
  ask("it", () => github.octokit.repos.createDeployKey({ ...REPOSITORY, key: "" }));

test.each([
  { what: "success", it: good, work: create, want: [] },
  { what: "a client's mistake", it: answer(400), work: read, want: [] },
  { what: "a server's trouble", it: answer(503), work: read, want: [1000] },
  { what: "the same for a request that may be carried out once", it: answer(503), work: create },
  {
    what: "Retry-After in a server's trouble",
    it: answer(503, { "retry-after": "7" }),
    work: read,
    want: [7000],
  },
  { what: "a lost connection", it: lost, work: read, want: [1000] },
  { what: "the same for a request that may be carried out once", it: lost, work: create },
  { what: "a request that was never sent", it: refused, work: create, want: [1000] },
  { what: "another 403", it: answer(403), work: read, want: [] },
  {
    what: "GitHub's secondary rate limit",
    it: answer(403, {}, SECONDARY),
    work: create,
    want: [60_000],
  },
  {
    what: "GitHub's secondary rate limit with Retry-After",
    it: answer(429, { "retry-after": "7" }, SECONDARY),
    work: create,
    want: [7000],
  },
  {
    what: "Retry-After without the words",
    it: answer(403, { "retry-after": "7" }),
    work: create,
    want: [7000],
  },
  { what: "a rate limit without either", it: answer(429), work: create, want: [60_000] },
  {
    what: "GitHub's primary rate limit, and the second that the plugin adds",
    it: answer(403, {
      "x-ratelimit-remaining": "0",
      "x-ratelimit-reset": String(createTestClock().now() / 1000 + 30),
    }),
    work: create,
    want: [31_000],
  },
])("$what: pauses of $want ms", async ({ it, work, want = [] }) => {
  replies = [it];
  await work().catch((error: unknown) => expect(error).toBeInstanceOf(BootcError));
  expect(clock.pauses).toEqual(want);
  expect(tries).toBe(clock.pauses.length + 1);
});

test("pauses grow, and tries end", async () => {
  replies = Array.from({ length: 9 }, () => answer(500));
  const error = describeError(await read().catch((it: unknown) => it));
  expect(error).toMatchObject({
    kind: "network",
    message: "it: GitHub answered 500: Unknown error: {}",
  });
  expect(clock.pauses).toEqual([1000, 4000, 9000]);
});

test("an hour of patience is not given, whatever asks for it", async () => {
  for (const [status, body] of [
    [503, "{}"],
    [403, SECONDARY],
  ] as const) {
    replies = [answer(status, { "retry-after": "3600" }, body)];
    await expect(read()).rejects.toMatchObject({
      asksForPatience: true,
      message: "`http://github.example` refuses more requests for 60 minutes",
    });
  }
  expect(clock.pauses).toEqual([]);
});

test("what one request was refused does not weigh on the next", async () => {
  replies = [lost];
  await expect(create()).rejects.toMatchObject({ kind: "network", wasNotCarriedOut: false });
  replies = [lost];
  await read();
  expect(clock.pauses).toEqual([1000]);
});

test.each([
  { what: "a pause", it: answer(503) },
  { what: "the pause of a rate limit", it: answer(403, {}, SECONDARY) },
])("an interruption ends $what, and says so", async ({ it }) => {
  replies = [it];
  const pause = vi.spyOn(clock, "pause").mockImplementation(async (_milliseconds, signal) => {
    interrupt.abort(new BootcError("interrupted"));
    signal.throwIfAborted();
  });
  await expect(read()).rejects.toThrow("interrupted");
  expect(pause).toHaveBeenCalledTimes(1);
  expect(tries).toBe(1);
});

test("a redirect is not followed, and is an error of the network", async () => {
  replies = [answer(301, { location: "http://elsewhere.example/" })];
  await expect(read()).rejects.toMatchObject({
    kind: "network",
    message: "GitHub answered with a redirect (301)",
  });
});
