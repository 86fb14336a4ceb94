import { expect, test } from "vitest";
import { type BootEntry, DEFAULT_HOST, type ImageStatus } from "./document.ts";
import { rhsmFacts } from "./rhsm-facts.ts";

const image = (name: string, version: string | null = "1"): ImageStatus => ({
  image: { image: `example.com/${name}`, transport: "registry" },
  version,
  timestamp: null,
  imageDigest: `sha256:${name}`,
  architecture: "amd64",
});
const entry = (it: ImageStatus | null, cachedUpdate: ImageStatus | null = null): BootEntry => ({
  image: it,
  cachedUpdate,
  incompatible: false,
  pinned: false,
  softRebootCapable: false,
  downloadOnly: false,
  store: "ostreeContainer",
  ostree: null,
  composefs: null,
});

test("all twelve facts are there, and empty when unknown", () => {
  const facts = rhsmFacts(DEFAULT_HOST);
  expect(Object.keys(facts)).toEqual(
    ["booted", "staged", "rollback", "available"].flatMap((slot) =>
      ["image", "version", "digest"].map((it) => `bootc.${slot}.${it}`),
    ),
  );
  expect(new Set(Object.values(facts))).toEqual(new Set([""]));
});

test("the update that was seen last belongs to the booted deployment", () => {
  const status = {
    ...DEFAULT_HOST.status,
    booted: entry(image("a"), image("b", null)),
    staged: entry(image("c"), image("d")),
    rollback: entry(null),
  };
  expect(rhsmFacts({ ...DEFAULT_HOST, status })).toEqual({
    "bootc.booted.image": "example.com/a",
    "bootc.booted.version": "1",
    "bootc.booted.digest": "sha256:a",
    "bootc.staged.image": "example.com/c",
    "bootc.staged.version": "1",
    "bootc.staged.digest": "sha256:c",
    "bootc.rollback.image": "",
    "bootc.rollback.version": "",
    "bootc.rollback.digest": "",
    "bootc.available.image": "example.com/b",
    "bootc.available.version": "",
    "bootc.available.digest": "sha256:b",
  });
});
