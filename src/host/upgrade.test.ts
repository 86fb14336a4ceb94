import { expect, test } from "vitest";
import { formatOstreeReference, parseOstreeReference } from "../image/reference.ts";
import { entry, host, image } from "../testing/host-document.ts";
import {
  decideFromDownloaded,
  decideLock,
  decideUpgrade,
  requireUpgradeTarget,
} from "./upgrade.ts";

test.each([
  { booted: "A", staged: undefined, latest: "A", want: "current" },
  { booted: "A", staged: undefined, latest: "B", want: "available" },
  { booted: "A", staged: "B", latest: "B", want: "staged" },
  { booted: "A", staged: "B", latest: "C", want: "available" },
  { booted: "A", staged: "B", latest: "A", want: "available" }, // the tag was moved back
])("booted $booted, staged $staged, latest $latest: $want", ({ booted, staged, latest, want }) => {
  const slots = { booted: entry(booted), staged: staged === undefined ? null : entry(staged) };
  expect(decideUpgrade(slots, latest)).toBe(want);
});

test("a staged deployment without an image never counts as the newest", () => {
  expect(decideUpgrade({ booted: entry("A"), staged: entry(undefined) }, "A")).toBe("available");
});

test.each([
  { locked: false, isDownloadOnly: true, change: "lock", says: "will not be applied on reboot" },
  { locked: true, isDownloadOnly: false, change: "unlock", says: "will now be applied on reboot" },
  {
    locked: true,
    isDownloadOnly: true,
    change: "keep",
    says: "Staged update present, not changed",
  },
  { locked: false, isDownloadOnly: false, change: "keep", says: "Staged update present" },
])("staged already, locked $locked, --download-only $isDownloadOnly: $change", (row) => {
  const decision = decideLock(entry("A", { downloadOnly: row.locked }), row);
  expect(decision.change).toBe(row.change);
  expect(decision.message).toContain(row.says);
});

test("--from-downloaded needs something that was downloaded", () => {
  const wanted = parseOstreeReference("ostree-unverified-registry:quay.io/example/os:latest");
  expect(() => decideFromDownloaded(null, wanted)).toThrow("No staged deployment found");
  expect(decideFromDownloaded(entry("A", { downloadOnly: true }), wanted).change).toBe("unlock");
  expect(decideFromDownloaded(entry("A"), wanted).change).toBe("keep");
});

test("--from-downloaded with a --tag applies that tag or nothing", () => {
  const wanted = parseOstreeReference("ostree-unverified-registry:quay.io/example/os:43");
  expect(() => decideFromDownloaded(entry("A"), wanted)).toThrow(
    "the staged image is docker://quay.io/example/os:latest, not docker://quay.io/example/os:43",
  );
});

test.each([
  { tag: undefined, want: "ostree-unverified-registry:quay.io/example/os:latest" },
  { tag: "42", want: "ostree-unverified-registry:quay.io/example/os:42" },
])("an upgrade with the tag $tag follows $want", ({ tag, want }) => {
  expect(formatOstreeReference(requireUpgradeTarget(host({ image }), tag))).toBe(want);
});

test.each([
  { it: host({}), tag: undefined, error: "No image source specified" },
  { it: host({}), tag: "42", error: "--tag requires a booted image" },
  {
    it: host({}, { incompatible: true }),
    tag: undefined,
    error: "Deployment contains local rpm-ostree modifications",
  },
])("without an image to follow: $error", ({ it, tag, error }) => {
  expect(() => requireUpgradeTarget(it, tag)).toThrow(error);
});
