import { expect, test } from "vitest";
import { collectKargs, updateKargs } from "./image-kargs.ts";
import { addKargs, areEqualKargs, parseKargs, removeKargs, removeKey } from "./kargs.ts";

test.each([
  { text: "root=UUID=x rw  quiet\n", want: ["root=UUID=x", "rw", "quiet"] },
  { text: 'a="b c" "d e=f" g', want: ['a="b c"', '"d e=f"', "g"] },
  { text: 'open="never closed x', want: ['open="never closed x'] },
  { text: "", want: [] },
])("$text is split at white space outside quotes", ({ text, want }) => {
  expect(parseKargs(text)).toEqual(want);
});

test.each([
  { a: "console=tty0", b: "console=tty0", equal: true },
  { a: "init_x=1", b: "init-x=1", equal: true },
  { a: "x=a-b", b: "x=a_b", equal: false },
  { a: "QUIET", b: "quiet", equal: false },
  { a: 'x="a b"', b: '"x=a b"', equal: true },
  { a: "x", b: "x=", equal: false },
])("$a and $b: equal is $equal", ({ a, b, equal }) => {
  expect(areEqualKargs(a, b)).toBe(equal);
});

test("adding keeps what is there and repeats a key with another value", () => {
  expect(addKargs(["a", "console=tty0"], ["console=ttyS0", "a", "console=tty0"])).toEqual([
    "a",
    "console=tty0",
    "console=ttyS0",
  ]);
});

test("removing goes by key and value, or by key alone", () => {
  expect(removeKargs(["a=1", "a=2", "b"], ["a=1"])).toEqual(["a=2", "b"]);
  expect(removeKey(["a-x=1", "a_x", "b"], "a_x")).toEqual(["b"]);
});

const file = (name: string, text: string) => ({ name, text });

test("an image's arguments come in the order of file names, each once", () => {
  const files = [
    file("20-b.toml", 'kargs = ["b", "a"]'),
    file("10-a.toml", 'kargs = ["a", "x=1 y=2"]'),
    file("README", "not toml"),
    file("30-arm.toml", 'kargs = ["arm"]\nmatch-architectures = ["aarch64"]'),
    file("40-go.toml", 'kargs = ["amd"]\nmatch-architectures = ["amd64"]'),
  ];
  expect(collectKargs(files, "x64")).toEqual(["a", "x=1", "y=2", "b", "amd"]);
  expect(collectKargs(files, "arm64")).toEqual(["a", "x=1", "y=2", "b", "arm"]);
});

test.each([
  {
    text: "kargs = [",
    error: "kargs.d file `x.toml` is not valid TOML: line 1, column 9: unfinished",
  },
  {
    text: 'kargs = ["a"]\n\nkargs = ["b"]',
    error: "`x.toml` is not valid TOML: line 3, column 1: trying to redefine",
  },
  { text: 'args = ["a"]\nkargs = []', error: "has an unknown key, `args`" },
  { text: "kargs = [1]", error: "lacks `kargs`, a list of strings" },
  { text: 'kargs = []\nmatch-architectures = "x86_64"', error: "is not a list of strings" },
])("$text is refused", ({ text, error }) => {
  expect(() => collectKargs([file("x.toml", text)], "x64")).toThrow(error);
});

test.each([
  {
    why: "a new argument is added",
    from: ["a"],
    to: ["a", "b"],
    now: ["root", "a"],
    want: ["root", "a", "b"],
  },
  {
    why: "a dropped one goes",
    from: ["a", "b"],
    to: ["a"],
    now: ["root", "a", "b"],
    want: ["root", "a"],
  },
  {
    why: "one the user removed stays removed",
    from: ["a"],
    to: ["a"],
    now: ["root"],
    want: ["root"],
  },
  {
    why: "one the user added stays",
    from: [],
    to: [],
    now: ["root", "mine"],
    want: ["root", "mine"],
  },
  { why: "a changed value is exchanged", from: ["x=1"], to: ["x=2"], now: ["x=1"], want: ["x=2"] },
  {
    why: "an image without kargs.d takes its predecessor's away",
    from: ["a"],
    to: [],
    now: ["r", "a"],
    want: ["r"],
  },
])("$why", ({ from, to, now, want }) => {
  expect(updateKargs(now, from, to)).toEqual(want);
});
