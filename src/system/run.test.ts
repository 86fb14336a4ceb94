import { afterEach, expect, test, vi } from "vitest";
import { BootcError } from "../errors.ts";
import { withSignal } from "./context.ts";
import { formatCommand } from "./quote.ts";
import { cleanupContext, createContext, failureOf } from "./run.ts";

const ctx = createContext();

test("read gives standard output unchanged", async () => {
  expect(await ctx.read("printf", ["a\\nb\\n"])).toBe("a\nb\n");
});

test("text given as input reaches the program", async () => {
  expect(await ctx.read("cat", [], { input: "hello" })).toBe("hello");
});

test("without input the program's standard input is empty", async () => {
  expect(await ctx.read("cat", [])).toBe("");
});

test("a failure names the command, its status and what it said", async () => {
  const error = await ctx.read("sh", ["-c", "echo no such thing >&2; exit 3"]).catch((it) => it);
  expect(error).toBeInstanceOf(BootcError);
  expect(error.message).toBe(
    "`sh -c 'echo no such thing >&2; exit 3'` failed with status 3: no such thing",
  );
});

test.each([
  { said: "error: fsync: No space left on device", kind: "space" },
  { said: "sync: error syncing '/x': Disk quota exceeded", kind: "space" },
  { said: "error: mkdirat: Read-only file system", kind: "failed" },
  { said: "error: fchmod: Input/output error", kind: "failed" },
])("a program that fails with `$said` has a kind and a hint", async ({ said, kind }) => {
  const error = await ctx.read("sh", ["-c", 'echo "$0" >&2; exit 1', said]).catch((it) => it);
  expect(error).toMatchObject({ kind, hint: expect.any(String) });
});

test("a program that crashes comes with a hint, and one that was ended does not", async () => {
  const end = (signal: string) =>
    ctx.read("sh", ["-c", `kill -s ${signal} $$`]).catch((error: unknown) => error);
  expect(await end("ABRT")).toMatchObject({ hint: expect.stringContaining("crashed") });
  expect(await end("TERM")).toMatchObject({ hint: undefined });
});

test("what GLib says of its own is not part of the error", async () => {
  const log = "(ostree admin cleanup:44): OSTree-WARNING **: 05:59:16.133: Failed to clean up";
  const failing = (said: string) => ctx.read("sh", ["-c", 'printf "$0" >&2; exit 1', said]);
  await expect(failing(`\n${log}\nerror: fsync\n`)).rejects.toThrow(
    / failed with status 1: error: fsync$/,
  );
  await expect(failing(`\n${log}\n`)).rejects.toThrow(/ status 1: \(ostree .*Failed to clean up$/);
});

test("a missing program is its own message", async () => {
  const error = await ctx.read("no-such-program-here", []).catch((it) => it);
  expect(error.message).toBe("`no-such-program-here`: not found");
});

test("a status declared harmless is not a failure", async () => {
  expect(await ctx.read("sh", ["-c", "echo x; exit 1"], { okStatuses: [0, 1] })).toBe("x\n");
});

test.each([false, true])(
  "an aborted context ends its children and starts no more (in the background: %s)",
  async (isBackground) => {
    const abort = new AbortController();
    const stopped = createContext({ signal: abort.signal });
    const sleeping = stopped.read("sleep", ["60"], { isBackground }).catch((it) => it);
    abort.abort(new BootcError("interrupted"));
    expect((await sleeping).message).toBe("interrupted");
    await expect(stopped.read("true", [], { isBackground })).rejects.toThrow("interrupted");
  },
);

test.each([
  { args: ["a", "b=c"], want: "ls a b=c" },
  { args: ["a b", "it's"], want: `ls 'a b' 'it'\\''s'` },
  { args: [""], want: "ls ''" },
])("formatCommand quotes $args", ({ args, want }) => {
  expect(formatCommand("ls", args)).toBe(want);
});

test("the error gives the program's failure", async () => {
  const error = await ctx
    .run("sh", ["-c", "echo oops >&2; exit 3"], { isQuiet: true })
    .catch((it) => it);
  expect(failureOf(error)).toEqual({
    ...{ exitCode: 3, stdout: "", stderr: "oops\n", isTimeout: false },
  });
  expect(failureOf(new Error("other"))).toBeUndefined();
});

test("a missing program that is to end with us is the same message", async () => {
  const options = { endsWithUs: true };
  const error = await ctx.read("no-such-program-here", [], options).catch((it) => it);
  expect(error.message).toBe("`no-such-program-here`: not found");
});

test("a program of a context with an additional signal ends with that signal", async () => {
  const abort = new AbortController();
  const work = withSignal(ctx, abort.signal).read("sleep", ["60"]);
  abort.abort(new BootcError("enough"));
  await expect(work).rejects.toThrow("enough");
});

const isTerminal = Object.getOwnPropertyDescriptor(process.stderr, "isTTY");
afterEach(() => {
  vi.restoreAllMocks();
  if (isTerminal === undefined) delete (process.stderr as { isTTY?: boolean }).isTTY;
  else Object.defineProperty(process.stderr, "isTTY", isTerminal);
});

test.each([
  [true, {}, true],
  [true, { TERM: "xterm" }, true],
  [true, { TERM: "dumb" }, false],
  [true, { NO_COLOR: "1" }, false],
  [true, { NO_COLOR: "" }, true],
  [false, {}, false],
])("on a terminal: %s, with %o there is color: %s", (isTTY, env, want) => {
  Object.defineProperty(process.stderr, "isTTY", { value: isTTY, configurable: true });
  expect(createContext({ env }).terminal.hasColor).toBe(want);
});

test.each([
  [false, "a\tb\n\\u001b[2J\n"],
  [true, "a\tb\n\u001b[2J\n"],
])("controls in what is said are kept: %s", (keepsControls, want) => {
  const written: string[] = [];
  for (const stream of [process.stdout, process.stderr]) {
    vi.spyOn(stream, "write").mockImplementation((text) => written.push(String(text)) > 0);
  }
  const talking = createContext({ keepsControls });
  talking.say("a\tb\n\u001b[2J");
  talking.note("a\tb\n\u001b[2J");
  talking.write("a\tb\n\u001b[2J");
  expect(written).toEqual([want, want, want.slice(0, -1)]);
});

test("a context that cleans up after Ctrl-C speaks as the one before did", async () => {
  const said: string[] = [];
  const before = {
    ...createContext({ signal: AbortSignal.abort() }),
    note: (line: string) => void said.push(line),
  };
  const after = cleanupContext(before);
  after.note("a remark");
  expect(said).toEqual(["a remark"]);
  await expect(before.read("true", [])).rejects.toThrow();
  expect(await after.read("true", [])).toBe("");
});

test("a document that is printed keeps its meaning, and nothing in it acts on a terminal", () => {
  const written: string[] = [];
  vi.spyOn(process.stdout, "write").mockImplementation((text) => written.push(String(text)) > 0);
  const value = { name: "\u001b[2J\u009b2J\u007f\u202e" };
  createContext().write(JSON.stringify(value));
  expect(written.join("")).toMatch(/^[ -~]+$/);
  expect(JSON.parse(written.join(""))).toEqual(value);
});

const FOREIGN = { PATH: process.env.PATH, LC_ALL: "de_DE.UTF-8", LANGUAGE: "de", LANG: "fr_FR" };
const SHOW = ["-c", 'said="$LC_ALL|$LANGUAGE|$LANG"; echo "$said"; echo "$said" >&2; exit 1'];

test.each([
  { how: {}, want: "C.UTF-8||fr_FR" },
  { how: { keepsLocale: true }, want: "de_DE.UTF-8|de|fr_FR" },
  { how: { env: { LC_ALL: "it_IT" } }, want: "it_IT||fr_FR" },
])("with $how, a program sees the locale `$want`", async ({ how, want }) => {
  const foreign = createContext({ env: FOREIGN });
  const read = await foreign.read("sh", SHOW, { ...how, okStatuses: [1] });
  expect(read).toBe(`${want}\n`);
  const failed = await foreign.run("sh", SHOW, { ...how, isQuiet: true }).catch((it) => it);
  expect(failureOf(failed)?.stderr).toBe(`${want}\n`);
});
