import fc from "fast-check";
import { expect, test } from "vitest";
import { BootcError } from "../errors.ts";
import { createdEpochOf, parseConfig, requireBootable, versionOf } from "./config.ts";
import { indexByDiffId, splitLayers } from "./layer-kinds.ts";
import { parseImageManifest, parseManifest, requirePlatform, toOciManifest } from "./manifest.ts";
import { platformOf } from "./platform.ts";

const digest = (n: number) => `sha256:${n.toString(16).padStart(64, "0")}`;
const descriptor = (n: number, mediaType = "application/vnd.oci.image.layer.v1.tar+gzip") => ({
  mediaType,
  digest: digest(n),
  size: n * 100,
});

const MANIFEST = {
  schemaVersion: 2,
  mediaType: "application/vnd.oci.image.manifest.v1+json",
  config: descriptor(1, "application/vnd.oci.image.config.v1+json"),
  layers: [descriptor(2), descriptor(3), descriptor(4)],
  annotations: { a: "b" },
};

const CONFIG = {
  architecture: "amd64",
  os: "linux",
  created: "2026-01-02T03:04:05.678Z",
  config: { Labels: { "containers.bootc": "1", version: "41.1" } },
  rootfs: { type: "layers", diff_ids: [digest(12), digest(13), digest(14)] },
  history: [{ created_by: "x" }],
};

const INDEX = {
  schemaVersion: 2,
  manifests: [
    { ...descriptor(5), platform: { os: "linux", architecture: "amd64" } },
    { ...descriptor(6), platform: { os: "linux", architecture: "arm64", variant: "v8" } },
    { ...descriptor(7), platform: { os: "unknown", architecture: "unknown" } },
  ],
};

const manifest = () => parseImageManifest(JSON.stringify(MANIFEST));
const config = (more: object = {}) => parseConfig(JSON.stringify({ ...CONFIG, ...more }));
const labelled = (labels: object) => config({ config: { Labels: labels } });

test("an image manifest keeps all its fields, including unknown ones", () => {
  const text = JSON.stringify({ ...MANIFEST, "org.example": [1] });
  expect(parseManifest(text)).toEqual({ kind: "image", manifest: JSON.parse(text) });
});

test("an image may have 2048 layers and no more", () => {
  const layers = Array.from({ length: 2049 }, (_, i) => descriptor(i));
  const withLayers = (count: number) =>
    parseImageManifest(JSON.stringify({ ...MANIFEST, layers: layers.slice(0, count) }));
  expect(withLayers(2048).layers).toHaveLength(2048);
  expect(() => withLayers(2049)).toThrow("it has more than 2048 layers");
});

test("a Docker manifest becomes the OCI manifest that says the same", () => {
  const docker = parseImageManifest(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: "application/vnd.docker.distribution.manifest.v2+json",
      config: descriptor(1, "application/vnd.docker.container.image.v1+json"),
      layers: [descriptor(2, "application/vnd.docker.image.rootfs.diff.tar.gzip")],
    }),
  );
  expect(toOciManifest(docker)).toEqual({
    ...MANIFEST,
    annotations: undefined,
    layers: [descriptor(2)],
  });
});

test.each([
  ["amd64", digest(5)],
  ["arm64", digest(6)],
])("an index has one image for %s", (architecture, want) => {
  const parsed = parseManifest(JSON.stringify(INDEX));
  if (parsed.kind !== "index") throw new Error("no index");
  expect(requirePlatform(parsed.index, { os: "linux", architecture }).digest).toBe(want);
});

test("an index without this machine's platform says what it offers", () => {
  const parsed = parseManifest(JSON.stringify(INDEX));
  if (parsed.kind !== "index") throw new Error("no index");
  expect(() => requirePlatform(parsed.index, platformOf("s390x"))).toThrow(
    "the image is not offered for linux/s390x, only for linux/amd64, linux/arm64, unknown/unknown",
  );
});

test("a schema 1 manifest is refused by name", () => {
  expect(() => parseManifest('{"schemaVersion":1,"fsLayers":[]}')).toThrow("Docker schema 1");
});

test.each([
  { labels: {}, want: ["derived", "derived", "derived"] },
  { labels: { "ostree.final-diffid": digest(12) }, want: ["commit", "derived", "derived"] },
  { labels: { "ostree.final-diffid": digest(13) }, want: ["commit", "chunk", "derived"] },
  { labels: { "ostree.final-diffid": digest(14) }, want: ["commit", "chunk", "chunk"] },
])("with the labels $labels the layers are $want", ({ labels, want }) => {
  expect(splitLayers(manifest(), labelled(labels)).map((it) => it.kind)).toEqual(want);
});

test("a final diff-id that no layer has is an error, and so is a wrong number of layers", () => {
  expect(() => splitLayers(manifest(), labelled({ "ostree.final-diffid": digest(99) }))).toThrow(
    "ostree.final-diffid",
  );
  const short = config({ rootfs: { type: "layers", diff_ids: [digest(12)] } });
  expect(() => splitLayers(manifest(), short)).toThrow("its manifest has 3 layers");
});

test("equal layers of stored images are found by diff-id", () => {
  const found = indexByDiffId([{ manifest: manifest(), config: config() }]);
  expect(found.get(digest(13))).toBe(digest(3));
  expect(found.get(digest(3))).toBeUndefined();
});

test("time and version come from their labels and fields in order of precedence", () => {
  expect(createdEpochOf(manifest(), config())).toBe(Date.UTC(2026, 0, 2, 3, 4, 5) / 1000);
  const annotated = {
    ...manifest(),
    annotations: { "org.opencontainers.image.created": "2020-01-01T00:00:00Z" },
  };
  expect(createdEpochOf(annotated, config())).toBe(Date.UTC(2020, 0, 1) / 1000);
  expect(createdEpochOf(manifest(), config({ created: "yesterday" }))).toBeUndefined();
  expect(versionOf(config())).toBe("41.1");
  expect(versionOf(labelled({ version: "1", "org.opencontainers.image.version": "2" }))).toBe("2");
});

test("an image must be bootable, and for this machine", () => {
  const host = platformOf("x64");
  expect(() => requireBootable(labelled({ "ostree.bootable": "" }), host)).not.toThrow();
  expect(() => requireBootable(labelled({}), host)).toThrow(
    "Target image does not have ostree.bootable label",
  );
  expect(() => requireBootable(config(), platformOf("arm64"))).toThrow(
    "Image has architecture amd64; expected arm64",
  );
});

/** A document in which one value, anywhere, has become something else. */
function mutated(document: unknown): fc.Arbitrary<string> {
  const paths = pathsOf(document);
  const odd = fc.oneof(
    fc.constantFrom(null, undefined, true, -1, 0, 1e300, 1.5, "", "x", [], {}, [[]], "sha256:ab"),
    fc.string(),
    fc.jsonValue(),
  );
  return fc.tuple(fc.constantFrom(...paths), odd).map(([path, value]) => {
    const copy = structuredClone(document);
    let at = copy as Record<string, unknown>;
    for (const key of path.slice(0, -1)) at = at[key] as Record<string, unknown>;
    at[path.at(-1) ?? ""] = value;
    return JSON.stringify(copy);
  });
}

function pathsOf(value: unknown): string[][] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, it]) => [
    [key],
    ...pathsOf(it).map((path) => [key, ...path]),
  ]);
}

/** Either a value, or an error that says whose fault it is. */
function answersOrRefuses(work: () => unknown): boolean {
  try {
    work();
    return true;
  } catch (error) {
    return error instanceof BootcError && ["integrity", "unsupported"].includes(error.kind);
  }
}

test("any data served as manifest, index or configuration is accepted or refused", () => {
  const text = fc.oneof(
    mutated(MANIFEST),
    mutated(INDEX),
    fc.string(),
    fc.json(),
    fc.nat(400).map((n) => JSON.stringify(MANIFEST).slice(0, n)),
  );
  const plan = (it: string) => {
    const parsed = parseManifest(it);
    if (parsed.kind === "index") requirePlatform(parsed.index, platformOf("x64"));
    else splitLayers(toOciManifest(parsed.manifest), config());
  };
  fc.assert(
    fc.property(text, (it) => answersOrRefuses(() => plan(it))),
    { numRuns: 1000 },
  );
  const read = (it: string) => {
    const parsed = parseConfig(it);
    splitLayers(manifest(), parsed);
    createdEpochOf(manifest(), parsed);
    versionOf(parsed);
    requireBootable(parsed, platformOf("x64"));
  };
  fc.assert(
    fc.property(fc.oneof(mutated(CONFIG), fc.json()), (it) => answersOrRefuses(() => read(it))),
    { numRuns: 1000 },
  );
});
