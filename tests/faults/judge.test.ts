// What the judge of disturbed verbs accepts, and what it does not.
import { constants } from "node:os";
import { expect, test } from "vitest";
import type { Facts } from "./facts.ts";
import { judgeDone, judgeFailed, judgeMessage, judgeRerun, judgeVisible } from "./judge.ts";

const { ENOSPC, EIO } = constants.errno;
const HINT = "\nhint: make room\n";

test.each([
  { what: "the right kind", status: 8, stderr: `error: full${HINT}`, errno: ENOSPC, want: [] },
  { what: "success", status: 0, stderr: "note: not cleaned up\n", errno: EIO, want: [] },
  {
    what: "another kind",
    status: 1,
    stderr: `error: full${HINT}`,
    errno: ENOSPC,
    want: ["ended with status 1 instead of 8"],
  },
  {
    what: "no hint",
    status: 1,
    stderr: "error: bad\n",
    errno: EIO,
    want: ["failed without a hint"],
  },
  {
    what: "two errors",
    status: 1,
    stderr: `error: a\nerror: b${HINT}`,
    errno: EIO,
    want: ["failed with 2 lines of error"],
  },
  {
    what: "a defect",
    status: 1,
    stderr: `error: a${HINT}this is a defect of bootc`,
    errno: EIO,
    want: ["said `defect of bootc`"],
  },
  {
    what: "ostree's wrong reason",
    status: 1,
    stderr: `error: Opening lock file (null)/.lock failed: Inappropriate ioctl for device${HINT}`,
    errno: ENOSPC,
    want: [],
  },
  {
    what: "ostree's crash without a reason",
    status: 1,
    stderr: "error: ended by SIGABRT: **\nOSTree:ERROR:assertion failed: (success || error)\n",
    errno: ENOSPC,
    want: [],
  },
])("a message: $what", ({ status, stderr, errno, want }) => {
  expect(judgeMessage({ status, signal: null, stdout: "", stderr }, errno)).toEqual(want);
});

test("a verb that a signal ended has failed, whatever it said", () => {
  const ended = { status: null, signal: "SIGSEGV", stdout: "", stderr: "" };
  expect(judgeMessage(ended, EIO)).toEqual(["ended by SIGSEGV"]);
});

const BEFORE: Facts = {
  refs: { "ostree/container/image/a": "1" },
  entries: { "ostree-1.conf": "one" },
  deployments: { "1.*": "tree" },
  listed: ["1.*"],
  staged: "",
  told: "",
  stagedName: "",
  leftovers: [],
  partial: [],
  lacking: [],
};
const AFTER: Facts = {
  ...BEFORE,
  refs: { "ostree/container/image/a": "2" },
  deployments: { "1.*": "tree", "2.*": "other" },
  staged: "two",
  stagedName: "2.*",
};
const QUIET = { stderr: "" };
const EXPECTED = { before: BEFORE, after: AFTER, isToggle: false };

test.each<{ what: string; found: Partial<Facts>; want: readonly string[] }>([
  { what: "the old state", found: {}, want: [] },
  { what: "the new state", found: AFTER, want: [] },
  {
    what: "a half deployment that nothing names",
    found: { deployments: { "1.*": "tree", "2.*": "half" } },
    want: [],
  },
  {
    what: "a half deployment that is staged",
    found: { ...AFTER, deployments: { "1.*": "tree", "2.*": "half" } },
    want: ["the deployment 2.* differs"],
  },
  {
    what: "an image of neither",
    found: { refs: { "ostree/container/image/a": "3" } },
    want: ["the ref ostree/container/image/a is 3"],
  },
  {
    what: "a whole commit with ostree's mark of one in part",
    found: { partial: ["ostree/container/image/a"] },
    want: [],
  },
  {
    what: "a commit in part",
    found: { partial: ["ostree/container/image/a"], lacking: ["ostree/container/image/a"] },
    want: ["the ref ostree/container/image/a names a commit that lacks objects"],
  },
])("what is visible: $what", ({ found, want }) => {
  expect(judgeVisible({ ...BEFORE, ...found }, EXPECTED)).toEqual(want);
});

test("success is the new state, and so is the run after a failure, with nothing left", () => {
  expect(judgeDone(AFTER, EXPECTED, QUIET)).toEqual([]);
  expect(judgeDone(BEFORE, EXPECTED, QUIET)).not.toEqual([]);
  expect(judgeRerun(AFTER, EXPECTED, BEFORE)).toEqual([]);
  expect(judgeRerun({ ...AFTER, leftovers: ["tmp/x"] }, EXPECTED, BEFORE)).toEqual([
    "leftovers: +tmp/x",
  ]);
});

test("a reboot of which nobody is told is noticed", () => {
  const expected = { ...EXPECTED, after: { ...AFTER, told: "reboot" } };
  expect(judgeRerun({ ...AFTER, told: "" }, expected, BEFORE)).toEqual(["told: +, -reboot"]);
  expect(judgeDone({ ...AFTER, told: "" }, expected, QUIET)).toEqual(["told: +, -reboot"]);
  // A kill may have come before that.
  expect(judgeVisible({ ...AFTER, told: "" }, expected)).toEqual([]);
});

test("a verb that changes back what it did must not fail after it", () => {
  const swapped = { ...BEFORE, entries: { "ostree-1.conf": "two" } };
  const toggle = { before: BEFORE, after: swapped, isToggle: true };
  expect(judgeFailed(swapped, toggle)).toEqual(["failed, but has taken effect"]);
  expect(judgeFailed(BEFORE, toggle)).toEqual([]);
  expect(judgeRerun(BEFORE, toggle, swapped)).toEqual([]);
  const told = { ...toggle, after: { ...swapped, told: "reboot" } };
  expect(judgeDone(swapped, told, QUIET)).toEqual(["told: +, -reboot"]);
  const unsaid = "warning: `/run/reboot-required` does not ask for a reboot: EROFS: read-only\n";
  expect(judgeDone(swapped, told, { stderr: unsaid })).toEqual([]);
  expect(judgeDone(swapped, { ...told, isToggle: false }, { stderr: unsaid })).toEqual([]);
});

test("a toggle may leave refs of deployments to ostree's next clean-up if it says so", () => {
  const refs = { "ostree/*/*/0": "1", "ostree/*/*/1": "2" };
  const after = { ...AFTER, refs: { ...AFTER.refs, ...refs } };
  const expected = { before: BEFORE, after, isToggle: true };
  const said = { stderr: "note: ostree could not clean up: fsync: Input/output error\n" };
  expect(judgeDone(AFTER, expected, said)).toEqual([]);
  expect(judgeDone(AFTER, expected, QUIET)).toEqual(["refs: -ostree/*/*/0 1, -ostree/*/*/1 2"]);
  expect(judgeDone(AFTER, { ...expected, isToggle: false }, said)).not.toEqual([]);
  expect(judgeDone({ ...after, refs }, expected, said)).toEqual([
    "refs: -ostree/container/image/a 2",
  ]);
});

test("a verb that says that it could not clean up may leave old refs, and lacks no new ones", () => {
  const gone = { ...BEFORE, refs: { "ostree/container/image/old": "0" } };
  const expected = { before: gone, after: AFTER, isToggle: false };
  const both = { ...AFTER, refs: { ...gone.refs, ...AFTER.refs } };
  const said = { stderr: "note: not everything could be cleaned up: EIO\n" };
  expect(judgeDone(both, expected, said)).toEqual([]);
  expect(judgeDone(both, expected, QUIET)).toEqual(["refs: +ostree/container/image/old 0"]);
  expect(judgeDone({ ...AFTER, refs: {} }, expected, said)).not.toEqual([]);
  const told = { ...expected, after: { ...AFTER, told: "reboot" } };
  expect(judgeDone(both, told, said)).toEqual(["told: +, -reboot"]);
  const unsaid = "warning: `/run/reboot-required` does not ask for a reboot: ENOSPC: no space\n";
  expect(judgeDone(both, told, { stderr: `${unsaid}${said.stderr}` })).toEqual([]);
  const other = { ...both, refs: { ...both.refs, "ostree/container/image/b": "3" } };
  expect(judgeDone(other, expected, said)).toEqual(["refs: +ostree/container/image/b 3"]);
});

test("a verb that does the same once more may do so only after it has taken effect", () => {
  const once = { ...BEFORE, entries: { "ostree-1.conf": "one", "ostree-2.conf": "one" } };
  const twice = { ...once, entries: { ...once.entries, "ostree-3.conf": "one" } };
  const expected = { before: BEFORE, after: once, isToggle: false, twice };
  expect(judgeRerun(twice, expected, once)).toEqual([]);
  expect(judgeRerun(once, expected, once)).toEqual([]);
  expect(judgeRerun(twice, expected, BEFORE)).not.toEqual([]);
});
