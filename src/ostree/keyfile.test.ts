import fc from "fast-check";
import { expect, test } from "vitest";
import { anyText } from "../testing/any-text.ts";
import {
  formatKeyfile,
  hasGroup,
  keyfileFlag,
  keyfileValue,
  parseKeyfile,
  withKeyfileValue,
  withoutKeyfileKey,
} from "./keyfile.ts";

const ORIGIN = `# made by hand
[origin]
container-image-reference=ostree-unverified-registry:quay.io/example/os:latest
unconfigured-state = Access denied: \\s\\\\x

[libostree-transient]
pinned=true
`;

test("values are read with their escapes", () => {
  const it = parseKeyfile(ORIGIN);
  expect(keyfileValue(it, "origin", "container-image-reference")).toBe(
    "ostree-unverified-registry:quay.io/example/os:latest",
  );
  expect(keyfileValue(it, "origin", "unconfigured-state")).toBe("Access denied:  \\x");
  expect(keyfileFlag(it, "libostree-transient", "pinned")).toBe(true);
  expect(keyfileFlag(it, "origin", "pinned")).toBeUndefined();
  expect(hasGroup(it, "rpmostree")).toBe(false);
});

test("everything that is not edited stays unchanged", () => {
  expect(formatKeyfile(parseKeyfile(ORIGIN))).toBe(ORIGIN);
  const changed = withKeyfileValue(parseKeyfile(ORIGIN), "origin", {
    key: "container-image-reference",
    value: "ostree-image-signed:docker://a/b",
  });
  expect(formatKeyfile(changed)).toBe(
    ORIGIN.replace(
      "ostree-unverified-registry:quay.io/example/os:latest",
      "ostree-image-signed:docker://a/b",
    ),
  );
});

test("a new key goes to the end of its group, a new group to the end", () => {
  const one = withKeyfileValue(parseKeyfile("[a]\nx=1\n\n[b]\ny=2\n"), "a", {
    key: "z",
    value: " 3\n",
  });
  expect(formatKeyfile(one)).toBe("[a]\nx=1\nz=\\s3\\n\n\n[b]\ny=2\n");
  const two = withKeyfileValue(parseKeyfile(""), "a", { key: "z", value: "3" });
  expect(formatKeyfile(two)).toBe("[a]\nz=3\n");
});

test.each([
  [" \t a \t b ", "\\s\\t\\sa \t b "],
  ["a\\b\nc\r", "a\\\\b\\nc\\r"],
])("only leading white space is escaped: %j", (value, written) => {
  const keyfile = withKeyfileValue(parseKeyfile(""), "a", { key: "z", value });
  expect(formatKeyfile(keyfile)).toBe(`[a]\nz=${written}\n`);
});

test("an entry before every group belongs to none", () => {
  expect(keyfileValue(parseKeyfile("x=1\n[a]\n"), "", "x")).toBe("1");
});

test("a key can be removed", () => {
  expect(
    formatKeyfile(withoutKeyfileKey(parseKeyfile(ORIGIN), "libostree-transient", "pinned")),
  ).toBe(ORIGIN.replace("pinned=true\n", ""));
});

test("any value survives being set and read", () => {
  const value = anyText().map((it) => it.replaceAll("\0", "").trimEnd());
  fc.assert(
    fc.property(value, (it) => {
      const text = formatKeyfile(
        withKeyfileValue(parseKeyfile(ORIGIN), "origin", { key: "k", value: it }),
      );
      expect(keyfileValue(parseKeyfile(text), "origin", "k")).toBe(it);
    }),
  );
});
