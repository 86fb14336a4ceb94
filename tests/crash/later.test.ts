import { expect, test } from "vitest";
import { digestOf } from "./images.ts";
import type { KnownSystem } from "./judge.ts";
import { type Observed, withLater } from "./later.ts";
import type { Recording } from "./recordings.ts";

const ORIGIN = "[origin]\ncontainer-image-reference=x\n";
const PINNED = `${ORIGIN}\n[libostree-transient]\npinned=1\nbootc-superseded=true\n`;

const SYSTEM: KnownSystem = {
  ...{ version: "1", deployment: "a.0", kernel: "k", initramfs: "i", tree: "t", etc: "etc" },
  origin: digestOf(ORIGIN),
};
const ETC = { deployment: "a.0", etc: "etc", unlabelled: "files" };
const SAME: Observed = {
  ...{ before: [ETC], after: [ETC] },
  origins: [ORIGIN, ORIGIN].map((text) => ({ deployment: "a.0", text })),
};
/** Another system may become what it likes: here it has no past. */
const OTHER = { deployment: "b.0", etc: "new", unlabelled: "new" };

const withEtc = (change: Partial<typeof ETC>): Observed => ({
  ...SAME,
  after: [OTHER, { ...ETC, ...change }],
});
const withOrigin = (...texts: readonly string[]): Observed => ({
  ...SAME,
  origins: texts.map((text) => ({ deployment: "a.0", text })),
});

test.each<[string, Recording["changes"], Observed, Partial<KnownSystem>]>([
  ["what stays the same", undefined, SAME, {}],
  ["a system that is removed", undefined, { ...SAME, after: [OTHER] }, {}],
  ["labels", "labels", withEtc({ etc: "labelled" }), { laterEtc: "labelled" }],
  ["a pin", "pin", withOrigin(ORIGIN, PINNED, ORIGIN), { laterOrigin: digestOf(PINNED) }],
])("a recording may have %s", (_what, changes, observed, later) => {
  expect(withLater(SYSTEM, changes, observed)).toEqual({ ...SYSTEM, ...later });
});

test.each<[string, Recording["changes"], Observed, string]>([
  ["labels nobody declared", undefined, withEtc({ etc: "labelled" }), "/etc"],
  ["labels where a pin is declared", "pin", withEtc({ etc: "labelled" }), "/etc"],
  ["another content", "labels", withEtc({ etc: "other", unlabelled: "fewer files" }), "/etc"],
  ["a pin nobody declared", undefined, withOrigin(PINNED), "the origin"],
  ["a pin where labels are declared", "labels", withOrigin(PINNED), "the origin"],
  ["a pin in a damaged origin", "pin", withOrigin(PINNED.replace("=x", "=y")), "the origin"],
  ["an origin without its end", "pin", withOrigin(PINNED, ORIGIN.slice(0, -3)), "the origin"],
])("a recording may not have %s", (_what, changes, observed, part) => {
  expect(() => withLater(SYSTEM, changes, observed)).toThrow(
    `the recording has changed ${part} of version 1`,
  );
});
