import { expect, test } from "vitest";
import { normalizeTimestamp, parseImageSummary } from "./image-status.ts";
import { describeManifestDifference } from "./manifest-difference.ts";

const MANIFEST = JSON.stringify({ layers: [{ digest: "sha256:a", size: 10 }] });
const content = (config: unknown, manifest = MANIFEST) =>
  parseImageSummary({ digest: "sha256:d", manifest, config: JSON.stringify(config) });

test.each([
  { labels: { "org.opencontainers.image.version": "1", version: "2" }, want: "1" },
  { labels: { version: "2" }, want: "2" },
  { labels: {}, want: null },
])("the version of $labels is $want", ({ labels, want }) => {
  expect(content({ config: { Labels: labels } }).version).toBe(want);
});

test("the label says when the image was made, else the config does", () => {
  const created = "2026-01-01T00:00:00Z";
  const label = { "org.opencontainers.image.created": "2026-02-02T00:00:00Z" };
  expect(content({ created, config: { Labels: label } }).timestamp).toBe("2026-02-02T00:00:00Z");
  expect(content({ created }).timestamp).toBe(created);
  expect(content({}).timestamp).toBeNull();
});

test("an image stored without a config still has a digest and layers", () => {
  expect(content(null)).toEqual({
    digest: "sha256:d",
    version: null,
    timestamp: null,
    architecture: "",
    layers: [{ digest: "sha256:a", sizeBytes: 10 }],
  });
});

test.each([
  { manifest: "{", error: "the stored manifest is not JSON" },
  { manifest: "[]", error: "the stored manifest is not a JSON object" },
  { manifest: "{}", error: "the stored manifest does not list layers" },
  { manifest: '{"layers":[{}]}', error: "has a layer without digest and size" },
])("$manifest is refused", ({ manifest, error }) => {
  expect(() => content({}, manifest)).toThrow(error);
});

test.each([
  ["2026-11-23T15:50:43Z", "2026-11-23T15:50:43Z"],
  ["2026-11-23T15:50:43.120000Z", "2026-11-23T15:50:43.120Z"],
  ["2026-11-23T15:50:43.1234567Z", "2026-11-23T15:50:43.123456700Z"],
  ["2026-11-23T15:50:43.000Z", "2026-11-23T15:50:43Z"],
  ["2026-11-23T17:50:43+02:00", "2026-11-23T15:50:43Z"],
  ["2026-13-23T15:50:43Z", null],
  ["yesterday", null],
])("%s is %s", (text, want) => {
  expect(normalizeTimestamp(text)).toBe(want);
});

test("layers are compared by digest", () => {
  const layer = (digest: string, sizeBytes: number) => ({ digest, sizeBytes });
  const lines = describeManifestDifference(
    [layer("a", 1000), layer("b", 2000)],
    [layer("a", 1000), layer("c", 3000), layer("d", 500)],
  );
  expect(lines).toEqual([
    "Total new layers: 3     Size: 4.5 kB",
    "Removed layers:   1     Size: 2.0 kB",
    "Added layers:     2     Size: 3.5 kB",
  ]);
});
