import { describe, expect, test } from "vitest";
import { findProblems, type Observation, TIME_MAX_MS } from "./judge.ts";

const REFUSED: Observation = {
  status: 6,
  signal: null,
  ms: 200,
  stdout: "",
  stderr: "error: pulling oci:x: the layer's tar has a header with a wrong checksum\n",
  refs: [],
  files: [],
  fsck: "",
};
const DONE: Observation = {
  ...REFUSED,
  status: 0,
  stdout: "Wrote: ostree-unverified-image:oci:x => 00\n",
  stderr: "",
  refs: ["ostree/container/image/oci_3A_x", "ostree/container/blob/sha256_3A_0"],
};
const MARK = `state/${"a".repeat(64)}.commitpartial`;
const BLOB = `extensions/bootc/blobs/sha256/${"a".repeat(64)}`;

test.each([
  ["an image", DONE],
  ["a refusal", REFUSED],
  [
    "a refusal that keeps what the next pull can use",
    {
      ...REFUSED,
      refs: ["bootc-pull/pending/sha256_3A_0"],
      files: [BLOB, "tmp/staging-a-b/c", MARK],
    },
  ],
  ["a hint", { ...REFUSED, stderr: `${REFUSED.stderr}hint: try again at noon\n` }],
])("%s is right", (_why, it: Observation) => {
  expect(findProblems(it)).toEqual([]);
});

describe.each([
  ["a request to report", { stderr: "error: x\nthis is a defect of bootc; please report it:\n" }],
  ["a stack trace", { stderr: "error: x\n    at parse (file:///snapshot/main.js:1:2)\n" }],
  ["a call stack that is full", { stderr: "error: x: Maximum call stack size exceeded\n" }],
  ["a status of the command line", { status: 2 }],
  ["a status nobody documented", { status: 13 }],
  ["an end by a signal", { status: null, signal: "SIGSEGV" }],
  ["a hang", { ms: TIME_MAX_MS }],
  ["a failure without a word", { stderr: "" }],
  ["a message without an end", { stderr: `error: ${"x".repeat(30_000)}\n` }],
  ["an image in spite of it", { refs: ["ostree/container/image/x"] }],
  ["a ref of a layer that was not verified", { refs: ["bootc-pull/unverified/sha256_3A_0"] }],
  ["a half-written download", { files: ["extensions/bootc/fetch-abc"] }],
  ["a blob that is not what its name says", { files: [`wrong:${BLOB}`] }],
  ["a work directory", { files: ["tmp/bootc-pull-abc"] }],
  ["a file in the temporary directory", { files: ["tmp/bootc-labels-abc"] }],
  ["a damaged repository", { fsck: "error: Corrupted file object" }],
])("after a refusal %s", (_why, change: Partial<Observation>) => {
  test("is wrong", () => {
    expect(findProblems({ ...REFUSED, ...change })).toHaveLength(1);
  });
});

test.each([
  ["no image", { refs: [] }],
  ["no word of it", { stdout: "" }],
  ["an error", { stderr: "error: but why\n" }],
  ["a layer that waits", { refs: [...DONE.refs, "bootc-pull/pending/sha256_3A_0"] }],
  ["a blob that waits", { files: [BLOB] }],
  ["a commit that is marked as partial", { files: [MARK] }],
  ["a damaged repository", { fsck: "error: Corrupted file object" }],
])("after success %s is wrong", (_why, change: Partial<Observation>) => {
  expect(findProblems({ ...DONE, ...change })).toHaveLength(1);
});
