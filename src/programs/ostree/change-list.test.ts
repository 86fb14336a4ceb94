import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { BootcError, describeError } from "../../errors.ts";
import { type ScriptLine, scriptedContext } from "../../testing/scripted-context.ts";
import { changeList, type ListChange } from "./change-list.ts";

const CHANGE: ScriptLine = ["+ ostree admin set-default 1"];
const FAILED: ScriptLine = [
  CHANGE[0],
  new BootcError("Input/output error", { hint: "see `dmesg`" }),
];
const CLEANUP: ScriptLine = ["+ ostree admin cleanup"];
const RESET = "+ nsenter --target=1 --mount -- ostree admin prepare-soft-reboot --reset";
const PREPARED = "run/ostree/nextroot-booted";

/** Makes a change by the `script`, with a prepared soft reboot if wanted; what it resolves to, and what is said. */
async function play(
  script: (root: string) => readonly ScriptLine[],
  judge: ListChange["judge"],
  { isPrepared = false } = {},
) {
  const root = await mkdtemp(join(tmpdir(), "change-list-"));
  onTestFinished(() => rm(root, { recursive: true }));
  if (isPrepared) {
    await mkdir(dirname(join(root, PREPARED)), { recursive: true });
    await writeFile(join(root, PREPARED), "");
  }
  const { ctx, transcript, requireAllUsed } = scriptedContext(root, script(root));
  const changed = await changeList(ctx, {
    words: ["set-default", "1"],
    outcome: "the next boot has changed",
    again: "again, it would change back",
    judge,
    unwanted: (state, cause) =>
      new BootcError(`the list is ${state}`, { kind: "integrity", cause }),
  });
  requireAllUsed();
  return { ...changed, said: transcript() };
}

const made = async () => "made" as const;
const odd = async () => "odd" as const;
const unreadable = async () => {
  throw Object.assign(new Error("EIO: i/o error, read"), { code: "EIO" });
};

test("a change that is made needs nothing else", async () => {
  expect((await play(() => [CHANGE], made)).failure).toBeUndefined();
});

test("a change that ostree did not make is an error, which is its own if it has one", async () => {
  const unmade = async () => "unchanged" as const;
  await expect(play(() => [CHANGE], unmade)).rejects.toThrow("the list is unchanged");
  await expect(play(() => [FAILED], unmade)).rejects.toThrow("Input/output error");
});

test("a clean-up that failed after the change is tried again", async () => {
  const { failure, said } = await play(() => [FAILED, CLEANUP], made);
  expect([failure, said]).toEqual([undefined, expect.not.stringContaining("note: ")]);
  const again = [CLEANUP[0], new BootcError("again")] as const;
  const failing = await play(() => [FAILED, again], made);
  expect(failing.failure).toBeUndefined();
  expect(failing.said).toContain("! note: ostree could not clean up: again\n");
});

test("where the list cannot be read, ostree is believed", async () => {
  const { failure, said } = await play(() => [CHANGE], unreadable);
  expect(failure).toBeUndefined();
  expect(said).toContain(
    "! warning: the next boot has changed, which cannot be checked: EIO: i/o error, read\n",
  );
});

test("where ostree has failed as well, nobody knows, and the soft reboot is cancelled", async () => {
  const script = (root: string): readonly ScriptLine[] => [
    FAILED,
    [RESET, () => rm(join(root, PREPARED))],
  ];
  const { isMade, failure, said } = await play(script, unreadable, { isPrepared: true });
  expect(isMade).toBe(false);
  expect(describeError(failure)).toEqual({
    kind: "failed",
    message: "it is unknown whether the next boot has changed",
    causes: ["Input/output error"],
    hint: "`ostree admin status` shows it; again, it would change back",
  });
  expect(said).toContain(
    "! warning: the list of deployments cannot be read: EIO: i/o error, read\n",
  );
});

test("a prepared soft reboot is cancelled when another deployment will boot next", async () => {
  const script = (root: string): readonly ScriptLine[] => [
    CHANGE,
    [RESET, () => rm(join(root, PREPARED))],
  ];
  expect((await play(script, made, { isPrepared: true })).failure).toBeUndefined();
});

test("one that stays prepared is the error in the end", async () => {
  const script = (): readonly ScriptLine[] => [CHANGE, [RESET, new BootcError("busy")]];
  expect((await play(script, made, { isPrepared: true })).failure).toMatchObject({
    message: "the next boot has changed, but a soft reboot is still prepared",
    hint: "`ostree admin prepare-soft-reboot --reset` cancels it; again, it would change back",
  });
});

test("a list that has changed otherwise is an error of its own, after the soft reboot is cancelled", async () => {
  for (const change of [CHANGE, FAILED]) {
    const script = (root: string): readonly ScriptLine[] => [
      change,
      [RESET, () => rm(join(root, PREPARED))],
    ];
    const { isMade, failure } = await play(script, odd, { isPrepared: true });
    expect(isMade).toBe(false);
    expect(failure).toMatchObject({ message: "the list is odd", kind: "integrity" });
    expect(failure?.cause).toBe(change[1]);
  }
});

test("one that stays prepared is a warning then", async () => {
  const script = (): readonly ScriptLine[] => [FAILED, [RESET, new BootcError("busy")]];
  const { failure, said } = await play(script, odd, { isPrepared: true });
  expect(failure?.message).toBe("the list is odd");
  expect(said).toContain(
    "! warning: a soft reboot is still prepared; " +
      "`ostree admin prepare-soft-reboot --reset` cancels it: busy\n",
  );
});
