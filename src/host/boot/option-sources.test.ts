import { describe, expect, test } from "vitest";
import {
  changeSource,
  ownedKargs,
  parseEntryKeys,
  parseSourceRequest,
  repeatRequests,
} from "./option-sources.ts";

const TUNED = "x-options-source-tuned";
const ADMIN = "x-options-source-admin";

describe("what a request does to the arguments and their owners", () => {
  test.each([
    {
      what: "new arguments come last and are owned",
      before: "root=x rw",
      keys: {},
      options: "isolcpus=1 nohz",
      want: "root=x rw isolcpus=1 nohz",
      wantKeys: { [TUNED]: "isolcpus=1 nohz" },
    },
    {
      what: "old arguments go, those of others stay",
      before: "root=x isolcpus=1 quiet",
      keys: { [TUNED]: "isolcpus=1", [ADMIN]: "quiet" },
      options: "isolcpus=2",
      want: "root=x quiet isolcpus=2",
      wantKeys: { [TUNED]: "isolcpus=2", [ADMIN]: "quiet" },
    },
    {
      what: "without options, the source owns nothing, which its empty key records",
      before: "root=x isolcpus=1",
      keys: { [TUNED]: "isolcpus=1" },
      options: undefined,
      want: "root=x",
      wantKeys: { [TUNED]: "" },
    },
    {
      what: "empty options mean the same",
      before: "root=x isolcpus=1",
      keys: { [TUNED]: "isolcpus=1" },
      options: "",
      want: "root=x",
      wantKeys: { [TUNED]: "" },
    },
    {
      what: "an argument that two sources own stays for the other",
      before: "root=x quiet",
      keys: { [TUNED]: "quiet", [ADMIN]: "quiet" },
      options: "",
      want: "root=x quiet",
      wantKeys: { [TUNED]: "", [ADMIN]: "quiet" },
    },
    {
      what: "an argument of the same key with another value is not touched",
      before: "console=tty0 console=ttyS0",
      keys: { [TUNED]: "console=ttyS0" },
      options: "console=ttyS1",
      want: "console=tty0 console=ttyS1",
      wantKeys: { [TUNED]: "console=ttyS1" },
    },
    {
      what: "an argument that was there before becomes owned",
      before: "root=x quiet",
      keys: {},
      options: "quiet",
      want: "root=x quiet",
      wantKeys: { [TUNED]: "quiet" },
    },
    {
      what: "an argument that somebody deleted comes back",
      before: "root=x",
      keys: { [TUNED]: "quiet" },
      options: "quiet",
      want: "root=x quiet",
      wantKeys: { [TUNED]: "quiet" },
    },
    {
      what: "values in quotes are one argument",
      before: "root=x",
      keys: {},
      options: 'dyndbg="file a.c +p; file b.c +p"  quiet',
      want: 'root=x dyndbg="file a.c +p; file b.c +p" quiet',
      wantKeys: { [TUNED]: 'dyndbg="file a.c +p; file b.c +p" quiet' },
    },
    {
      what: "keys that are not ours are kept",
      before: "root=x",
      keys: { "x-vendor": "1" },
      options: "quiet",
      want: "root=x quiet",
      wantKeys: { "x-vendor": "1", [TUNED]: "quiet" },
    },
  ])("$what", ({ before, keys, options, want, wantKeys }) => {
    const owned = { kargs: before.split(" "), keys: new Map(Object.entries(keys)) };
    const changed = changeSource(owned, parseSourceRequest("tuned", options));
    expect(changed?.kargs.join(" ")).toBe(want);
    expect(Object.fromEntries(changed?.keys ?? [])).toEqual(wantKeys);
  });

  test.each([
    { what: "the same again", keys: { [TUNED]: "quiet" }, options: "quiet" },
    { what: "nothing, of an unknown source", keys: {}, options: undefined },
    { what: "empty options, of an unknown source", keys: {}, options: "" },
    { what: "nothing, of a source that gave up", keys: { [TUNED]: "" }, options: undefined },
  ])("nothing changes: $what", ({ keys, options }) => {
    const owned = { kargs: ["root=x", "quiet", "rw"], keys: new Map(Object.entries(keys)) };
    expect(changeSource(owned, parseSourceRequest("tuned", options))).toBeUndefined();
  });
});

test.each([
  { source: "", options: "a", want: "`` is not a valid name of a source" },
  { source: "a b", options: "a", want: "`a b` is not a valid name of a source" },
  { source: "tün", options: "a", want: "`tün` is not a valid name of a source" },
  { source: "a", options: "x\nlinux /evil", want: "the options contain a control character" },
  { source: "a", options: '"x\ny"', want: "the options contain a control character" },
  { source: "a", options: 'x="y', want: "the options have a quote that is not closed" },
  { source: "a", options: "q ostree=/o", want: "the options contain `ostree=/o`" },
  { source: "a", options: '"ostree=/o"', want: 'the options contain `"ostree=/o"`' },
  { source: "a", options: "ostree", want: "the options contain `ostree`" },
])("refused: $source, $options", ({ source, options, want }) => {
  expect(() => parseSourceRequest(source, options)).toThrow(
    expect.objectContaining({ message: want, kind: "usage" }),
  );
});

test("an entry's extension keys, empty ones included", () => {
  const text = `title x-ray\noptions a\n${TUNED} a  b\n${ADMIN} \nx-bare\n#x-no 1\n`;
  expect(Object.fromEntries(parseEntryKeys(text))).toEqual({
    [TUNED]: "a  b",
    [ADMIN]: "",
    "x-bare": "",
  });
});

test.each([
  {
    what: "new arguments are added to those that are booted",
    booted: { kargs: ["root=x"], keys: {} },
    staged: { [TUNED]: "isolcpus=1", [ADMIN]: "quiet" },
    want: "root=x isolcpus=1 quiet",
  },
  {
    what: "a source has given up, another has changed its mind",
    booted: {
      kargs: ["root=x", "quiet", "nohz=on"],
      keys: { [TUNED]: "nohz=on", [ADMIN]: "quiet" },
    },
    staged: { [TUNED]: "nohz=off", [ADMIN]: "" },
    want: "root=x nohz=off",
  },
  {
    what: "keys that are not ours are left alone",
    booted: { kargs: ["root=x"], keys: {} },
    staged: { "x-vendor": "quiet" },
    want: "root=x",
  },
])("requests that are repeated: $what", ({ booted, staged, want }) => {
  const before = { kargs: booted.kargs, keys: new Map(Object.entries<string>(booted.keys)) };
  const after = repeatRequests(before, new Map(Object.entries<string>(staged)));
  expect(after.kargs.join(" ")).toBe(want);
});

test("arguments that are owned and there", () => {
  const keys = new Map([
    [TUNED, "a=1 gone"],
    ["x-vendor", "c"],
  ]);
  expect(ownedKargs({ kargs: ["a=1", "b", "c"], keys })).toEqual(["a=1"]);
});
