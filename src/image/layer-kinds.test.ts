import { expect, test } from "vitest";
import { config, digest, labelled, manifest } from "../testing/image-documents.ts";
import { indexByDiffId, splitLayers } from "./layer-kinds.ts";

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
