// Checks that a run of damaged images notices faults, with programs that have them.
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type EncapsulatedSeed, makeEncapsulated } from "../hostile/encapsulated.ts";
import { goodInput, makeInput } from "../hostile/inputs.ts";
import { runTrial } from "../hostile/trial.ts";

const ENTRY = join(import.meta.dirname, "../../src/entry.ts");

let dir: string;
let base: EncapsulatedSeed;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "hostile-trial-"));
  base = await makeEncapsulated();
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** A program that does what `lines` say for a pull; `$repo` and `$TMPDIR` are where it works, `bootc` is this checkout's. */
async function program(lines: string): Promise<string> {
  const path = join(dir, "program");
  const bootc = `bootc() { '${process.execPath}' '${ENTRY}' "$@"; }\n`;
  const notPull = '[ "$4" = pull ] || { bootc "$@"; exit; }\n';
  await writeFile(path, `#!/bin/sh\nrepo=$5\n${bootc}${notPull}${lines}\n`);
  await chmod(path, 0o755);
  return path;
}

const FAIL = "echo 'error: it is damaged' >&2; exit 6";

test.each([
  ["nothing wrong", FAIL, []],
  [
    "success without an image",
    "exit 0",
    ["succeeded without naming", "0 images after success", "shown, it ended"],
  ],
  ["a file in the temporary directory", `touch $TMPDIR/x; ${FAIL}`, ["left tmp/x"]],
  [
    "a blob of another content",
    `b=$repo/extensions/bootc/blobs/sha256; mkdir -p $b; echo > $b/${"a".repeat(64)}; ${FAIL}`,
    ["left a wrong blob: extensions/"],
  ],
  ["a crash", "kill -SEGV $$", ["ended by SIGSEGV", "failed with 0 lines of error"]],
  [
    "a damaged object",
    `bootc "$@"; find $repo/objects -name '*.file' -size +0 -exec sh -c 'echo x >> "$1"' sh {} \\; -quit`,
    ["fsck: "],
  ],
])("%s", async (_what, lines, problems) => {
  const bench = { executable: await program(lines), place: join(dir, "at"), good: goodInput(base) };
  const trial = await runTrial(bench, goodInput(base), 1);
  expect(trial.problems).toEqual(problems.map((it) => expect.stringContaining(it)));
});

test("the good image must be accepted after a refused one, so a program that refuses all fails", async () => {
  const input = makeInput("1", { kind: "tar", number: 4 }, base);
  const place = join(dir, "at");
  const run = async (lines: string) =>
    await runTrial({ executable: await program(lines), place, good: goodInput(base) }, input, 4);
  const takesTheGood = `case $6 in */good:it) bootc "$@"; exit;; esac; ${FAIL}`;
  expect((await run(takesTheGood)).problems).toEqual([]);
  expect((await run(FAIL)).problems).toEqual([
    expect.stringContaining("afterwards the good image failed"),
  ]);
});
