import fc from "fast-check";
import { expect, test } from "vitest";
import { BootcError } from "../errors.ts";
import {
  CONFIG,
  config,
  descriptor,
  digest,
  INDEX,
  MANIFEST,
  manifest,
} from "../testing/image-documents.ts";
import { createdEpochOf, parseConfig, requireBootable, versionOf } from "./config.ts";
import { splitLayers } from "./layer-kinds.ts";
import { parseImageManifest, parseManifest, requirePlatform, toOciManifest } from "./manifest.ts";
import { platformOf } from "./platform.ts";

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

/** A document with one value, anywhere, replaced by another. */
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
