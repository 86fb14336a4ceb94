import { expect, test } from "vitest";
import { BootcError } from "../errors.ts";
import { parseYaml } from "../format/yaml-in.ts";
import { formatYaml } from "../format/yaml-out.ts";
import { formatOstreeReference, parseOstreeReference } from "../image/reference.ts";
import type { Deployment } from "./deployment.ts";
import { type BootEntry, DEFAULT_HOST, type HostDocument, type HostSpec } from "./document.ts";
import { decideRollback } from "./rollback.ts";
import { decideEdit, isSameImage, parseHostSpec, parseSwitchTarget } from "./switch.ts";
import {
  decideFromDownloaded,
  decideLock,
  decideUpgrade,
  requireUpgradeTarget,
} from "./upgrade.ts";

const entry = (digest: string | undefined, more: Partial<BootEntry> = {}): BootEntry => ({
  image:
    digest === undefined
      ? null
      : {
          image: { image: "quay.io/example/os:latest", transport: "registry" },
          version: null,
          timestamp: null,
          imageDigest: digest,
          architecture: "amd64",
        },
  cachedUpdate: null,
  incompatible: false,
  pinned: false,
  softRebootCapable: false,
  downloadOnly: false,
  store: null,
  ostree: null,
  composefs: null,
  ...more,
});

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
    "what is staged is docker://quay.io/example/os:latest, not docker://quay.io/example/os:43",
  );
});

const host = (spec: Partial<HostSpec>, booted: Partial<BootEntry> = {}): HostDocument => ({
  ...DEFAULT_HOST,
  spec: { ...DEFAULT_HOST.spec, ...spec },
  status: { ...DEFAULT_HOST.status, booted: entry("A", booted) },
});
const image = { image: "quay.io/example/os:latest", transport: "registry" };

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

test.each([
  {
    name: "quay.io/a/b:c",
    transport: "registry",
    policy: false,
    want: "ostree-unverified-registry:quay.io/a/b:c",
  },
  {
    name: "quay.io/a/b:c",
    transport: "docker",
    policy: true,
    want: "ostree-image-signed:docker://quay.io/a/b:c",
  },
  { name: "/srv/os", transport: "oci", policy: false, want: "ostree-unverified-image:oci:/srv/os" },
])("switch to $name by $transport is $want", ({ name, transport, policy, want }) => {
  const target = parseSwitchTarget(name, { transport, enforcesPolicy: policy });
  expect(formatOstreeReference(target)).toBe(want);
});

test.each([
  { name: "blah://", transport: "registry", error: "`blah://` is no name of an image" },
  { name: "x", transport: "blah", error: "unknown transport `blah`" },
  { name: "", transport: "oci", error: "the name of the image is empty" },
])("switch to $name by $transport is refused", ({ name, transport, error }) => {
  expect(() => parseSwitchTarget(name, { transport, enforcesPolicy: false })).toThrow(error);
});

test("the same image is the same however it is spelled", () => {
  const target = parseOstreeReference("ostree-unverified-image:docker://quay.io/example/os:latest");
  expect(isSameImage(image, target)).toBe(true);
  expect(isSameImage({ ...image, signature: "insecure" }, target)).toBe(true);
  expect(isSameImage({ ...image, signature: "containerPolicy" }, target)).toBe(false);
  expect(isSameImage(null, target)).toBe(false);
});

const other = { ...image, image: "quay.io/example/os:next" };

test.each([
  { wanted: { image, bootOrder: "default" }, kind: "unchanged" },
  { wanted: { image, bootOrder: "rollback" }, kind: "rollback" },
  { wanted: { image: other, bootOrder: "default" }, kind: "image" },
] as const)("an edited spec $wanted means $kind", ({ wanted, kind }) => {
  expect(decideEdit(host({ image }), wanted).kind).toBe(kind);
});

test.each([
  {
    wanted: { image: other, bootOrder: "rollback" },
    error: "Invalid state transition: rollback and image change",
  },
  { wanted: { image: null, bootOrder: "default" }, error: "Missing image in specification" },
] as const)("an edited spec $wanted is refused", ({ wanted, error }) => {
  expect(() => decideEdit(host({ image }), wanted)).toThrow(error);
});

test("an edited document says all that is wrong with it at once", () => {
  const document = { kind: "x", spec: { bootOrder: 1, image: { image: 2, signature: "y" } } };
  expect(() => parseHostSpec(document)).toThrow(
    "the host document is not valid: `kind` must be `BootcHost`; `apiVersion` must be " +
      "`org.containers.bootc/v1`; `spec.bootOrder` must be `default` or `rollback`; " +
      "`spec.image.image` must be text; `spec.image.transport` must be text; " +
      "`spec.image.signature` is none we know",
  );
  expect(() => parseHostSpec(null)).toThrow("is not valid");
});

test.each(["insecure", "containerPolicy", { ostreeRemote: "fedora" }] as const)(
  "the signature %j survives YAML",
  (signature) => {
    const document = host({ image: { ...image, signature } });
    const text = formatYaml(document);
    if (typeof signature === "object") expect(text).toContain("signature: !ostreeRemote fedora\n");
    expect(parseHostSpec(parseYaml("the host document", text)).image).toEqual({
      ...image,
      signature,
    });
  },
);

test.each([
  ["an open list", "a: ["],
  ["an alias of nothing", "a: *b"],
  ["aliases that grow without end", "a: &a [1,1,1]\nb: &b [*a,*a]\n".concat(aliases(40))],
])("YAML that is none, by %s, is a usage error of one line", (_what, text) => {
  const parse = () => parseYaml("the host document", text);
  expect(parse).toThrow(/^the host document is no YAML: .+$/);
  expect(parse).toThrow(BootcError);
});

function aliases(count: number): string {
  return Array.from({ length: count }, (_, i) => {
    const before = i === 0 ? "b" : `c${i - 1}`;
    return `c${i}: &c${i} [*${before},*${before},*${before}]\n`;
  }).join("");
}

const deployment = (digit: string, more: Partial<Deployment> = {}): Deployment => ({
  stateroot: "default",
  checksum: digit.repeat(64),
  serial: 0,
  bootChecksum: undefined,
  isStaged: false,
  isBooted: false,
  isPinned: false,
  isLocked: false,
  unlocked: "none",
  bootOptions: undefined,
  softRebootObstacle: "systemd is older than 254",
  origin: { image: undefined, refspec: undefined, isIncompatible: false },
  content: { digest: digit, version: null, timestamp: null, architecture: "", layers: [] },
  cachedUpdate: undefined,
  problems: [],
  ...more,
});
const staged = deployment("c", { isStaged: true });
const booted = deployment("b", { isBooted: true });
const older = deployment("a");

test.each([
  { list: [booted, older], kind: "rollback", index: 1 },
  { list: [staged, booted, older], kind: "rollback", index: 2 },
  { list: [older, booted], kind: "revert", index: 1 },
])("a host with $list.length deployments: $kind to number $index", ({ list, kind, index }) => {
  expect(decideRollback(list)).toMatchObject({ kind, index });
});

test.each([
  { list: [booted], error: "No rollback available" },
  { list: [older], error: "No rollback available" },
  { list: [booted, { ...older, stateroot: "other" }], error: "No rollback available" },
  { list: [booted, { ...older, content: undefined }], error: "is not container image based" },
])("no rollback: $error", ({ list, error }) => {
  expect(() => decideRollback(list)).toThrow(error);
});
