import { expect, test } from "vitest";
import { BootcError } from "../errors.ts";
import { feed } from "./feed.ts";
import { createContext } from "./run.ts";

const ctx = createContext();
const sh = (script: string) => ({ program: "sh", args: ["-c", script] });

async function* batches(...texts: readonly string[]): AsyncGenerator<readonly Uint8Array[]> {
  for (const text of texts) yield [Buffer.from(text)];
}

/** Gives one batch, and then nothing, forever. */
async function* stalled(): AsyncGenerator<readonly Uint8Array[]> {
  yield [Buffer.from("x")];
  await new Promise(() => {});
}

test("the program gets all batches, and its output comes back", async () => {
  const many = Array.from({ length: 100 }, () => "x".repeat(10_000));
  expect(await feed(ctx, sh("wc -c"), batches(...many))).toBe("1000000\n");
});

test("a failing source kills the program before it sees the end of its input", async () => {
  async function* failing() {
    yield* batches("half");
    throw new BootcError("damaged", { kind: "integrity" });
  }
  const marker = `/tmp/feed-${process.pid}`;
  const failure = await feed(ctx, sh(`cat >&2; touch ${marker}`), failing()).catch((it) => it);
  expect(failure.message).toBe("damaged");
  expect(await ctx.read("sh", ["-c", `test -e ${marker} || echo none`])).toBe("none\n");
});

test("a program that gives up is reported with its status and output, whatever the source has left", async () => {
  const failure = await feed(ctx, sh("echo no >&2; exit 3"), stalled()).catch((it) => it);
  expect(failure.message).toBe("`sh -c 'echo no >&2; exit 3'` failed with status 3: no");
});

test.each([
  { said: "error: fchmod: No space left on device", kind: "space" },
  { said: "error: fsync: Input/output error", kind: "failed" },
])("a program that a disk refuses has a kind and a hint: $said", async ({ said, kind }) => {
  const program = { program: "sh", args: ["-c", 'echo "$0" >&2; exit 1', said] };
  await expect(feed(ctx, program, batches())).rejects.toMatchObject({
    kind,
    hint: expect.stringMatching(/./),
  });
});

test.each([
  ["before", (log: string, error: string) => `\n${log}\n${error}`],
  ["after", (log: string, error: string) => `${error}\n\n${log}`],
])("what GLib says of its own %s the error is not part of it", async (_when, say) => {
  const log = "(ostree commit:4): OSTree-WARNING **: 05:59:16.133: Failed to clean up";
  const said = say(log, "error: fsync: Input/output error");
  const program = { program: "sh", args: ["-c", 'printf %s "$SAID" >&2; exit 1'] };
  const failing = createContext({ env: { ...process.env, SAID: said } });
  await expect(feed(failing, program, batches())).rejects.toMatchObject({
    message: expect.stringMatching(/ failed with status 1: error: fsync: Input\/output error$/),
    hint: expect.stringContaining("the disk has failed"),
  });
});

test("only the last 20 lines of a program are told", async () => {
  const failure = await feed(ctx, sh("seq 100 >&2; exit 1"), batches()).catch((it) => it);
  expect(failure.message).toMatch(/ failed with status 1: 81\n[\d\n]*\n100$/);
});

test("a missing program is its own message", async () => {
  const failure = await feed(ctx, { program: "no-such-program", args: [] }, stalled()).catch(
    (it) => it,
  );
  expect(failure.message).toBe("`no-such-program` could not be started: not found");
});

test("an interruption ends program and call although the source stalls", async () => {
  const abort = new AbortController();
  const stopped = createContext({ signal: abort.signal });
  const fed = feed(stopped, sh("cat >/dev/null"), stalled()).catch((it) => it);
  abort.abort(new BootcError("interrupted"));
  expect((await fed).message).toBe("interrupted");
});

test("a program that reads late gets every byte, however many are in transit at the end", async () => {
  async function* pieces(count: number): AsyncGenerator<readonly Uint8Array[]> {
    for (let i = 0; i < count; i++) yield [Buffer.alloc(1000)];
  }
  const slow = { program: "sh", args: ["-c", "sleep 0.2; wc -c"] };
  // Around the size of the kernel's buffer, some bytes are still ours when the last are written.
  const counts = Array.from({ length: 24 }, (_, i) => i * 15 + 1);
  const got = await Promise.all(counts.map((it) => feed(ctx, slow, pieces(it))));
  expect(got).toEqual(counts.map((it) => `${it * 1000}\n`));
});

test("the program speaks English, by which we know its failures, whatever the caller's language", async () => {
  const env = { PATH: process.env.PATH, LC_ALL: "de_DE.UTF-8", LANGUAGE: "de" };
  const script = 'printf %s "$LC_ALL|$LANGUAGE"';
  expect(await feed(createContext({ env }), sh(script), batches())).toBe("C.UTF-8|");
});
