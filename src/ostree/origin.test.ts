import { expect, test } from "vitest";
import { parseOstreeReference } from "../image/reference.ts";
import {
  formatOrigin,
  inheritOrigin,
  isPinnedAsSuperseded,
  parseOrigin,
  pinAsSuperseded,
  replaceOriginImage,
  unpinSuperseded,
} from "./origin.ts";

const REFERENCE = "ostree-image-signed:docker://quay.io/example/os:1";
const IMAGE = parseOstreeReference(REFERENCE);
const NOTHING = {
  image: undefined,
  refspec: undefined,
  isIncompatible: false,
  isPinned: false,
  isSuperseded: false,
  isHotfix: false,
};

test.each([
  ["", {}],
  [`[origin]\ncontainer-image-reference=${REFERENCE}\n`, { image: IMAGE }],
  ["[origin]\nrefspec=fedora:os/x\n", { refspec: "fedora:os/x" }],
  ["[other]\nrefspec=fedora:os/x\n", {}],
  ["[rpmostree]\n", { isIncompatible: true }],
  ["[packages]\nrequested=vim;\n", { isIncompatible: true }],
  ["[overrides]\nremove=vim;\n", { isIncompatible: true }],
  ["[modules]\nenable=x;\n", { isIncompatible: true }],
  ["[libostree-transient]\npinned=true\n", { isPinned: true }],
  ["[libostree-transient]\npinned=1\n", { isPinned: true }],
  [
    "[libostree-transient]\npinned=1\nbootc-superseded=true\n",
    { isPinned: true, isSuperseded: true },
  ],
  ["[libostree-transient]\npinned=false\n", {}],
  ["[origin]\nunlocked=hotfix\n", { isHotfix: true }],
  ["[origin]\nunlocked=development\n", {}],
])("an origin says %j", (text, want) => {
  expect(parseOrigin(text)).toEqual({ ...NOTHING, ...want });
});

test("a reference that is not understood is an error, but not a usage error", () => {
  expect(() => parseOrigin("[origin]\ncontainer-image-reference=what:ever\n")).toThrow(
    expect.objectContaining({ name: "BootcError", kind: "failed" }),
  );
});

test("a new origin names the image and nothing else", () => {
  expect(formatOrigin(IMAGE)).toBe(`[origin]\ncontainer-image-reference=${REFERENCE}\n`);
});

test("when the image changes, other keys stay and other sources go", () => {
  const text = [
    "# a comment",
    "[origin]",
    "refspec=fedora:os/x",
    "baserefspec=fedora:os/y",
    "container-image-reference=ostree-unverified-registry:quay.io/old",
    "override-commit=",
    "",
    "[libostree-transient]",
    "pinned=true",
    "",
  ];
  const kept = text.filter((it) => !it.includes("refspec"));
  expect(replaceOriginImage(text.join("\n"), IMAGE)).toBe(
    kept.join("\n").replace("ostree-unverified-registry:quay.io/old", REFERENCE),
  );
});

const UNVERIFIED = parseOstreeReference("ostree-unverified-registry:quay.io/example/os:latest");

test("a new origin is what upstream programs read", () => {
  expect(formatOrigin(UNVERIFIED)).toBe(
    "[origin]\ncontainer-image-reference=ostree-unverified-registry:quay.io/example/os:latest\n",
  );
  expect(parseOrigin(formatOrigin(UNVERIFIED)).image).toEqual(UNVERIFIED);
});

test("another image replaces a branch, and all else stays", () => {
  const text = "[origin]\nrefspec=a:b\ncustom-url=x\n\n[libostree-transient]\npinned=true\n";
  const replaced = replaceOriginImage(text, UNVERIFIED);
  expect(replaced).toContain("custom-url=x\n");
  expect(parseOrigin(replaced)).toEqual({
    image: UNVERIFIED,
    refspec: undefined,
    isIncompatible: false,
    isPinned: true,
    isSuperseded: false,
    isHotfix: false,
  });
});

test.each(["rpmostree", "packages", "overrides", "modules"])(
  "the group %s is rpm-ostree's",
  (group) => {
    expect(parseOrigin(`[origin]\n[${group}]\n`).isIncompatible).toBe(true);
  },
);

test("a pin of ours is one for ostree, is known as ours, and leaves no trace", () => {
  const text = "[origin]\nrefspec=a:b\n\n[libostree-transient]\nother-key=x\n";
  const pinned = pinAsSuperseded(text);
  expect(pinned).toBe(`${text}pinned=1\nbootc-superseded=true\n`);
  expect([parseOrigin(pinned).isPinned, isPinnedAsSuperseded(pinned)]).toEqual([true, true]);
  expect(unpinSuperseded(pinned)).toBe(text);
  expect(inheritOrigin(pinned)).toBe(text);
});

test.each([
  ["of a person", "pinned=true\n"],
  ["of a person who writes it as we do", "pinned=1\n"],
  ["of a person in the place of ours", "bootc-superseded=true\npinned=true\n"],
  ["that is gone", "bootc-superseded=true\n"],
])("a pin %s is not ours", (_, lines) => {
  const text = `[libostree-transient]\n${lines}`;
  expect(isPinnedAsSuperseded(text)).toBe(false);
  expect(unpinSuperseded(text)).toBe(text);
  if (parseOrigin(text).isPinned) expect(pinAsSuperseded(text)).toBe(text);
});
