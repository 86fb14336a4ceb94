import { expect, test } from "vitest";
import { config, labelled, manifest } from "../testing/image-documents.ts";
import { createdEpochOf, requireBootable, versionOf } from "./config.ts";
import { platformOf } from "./platform.ts";

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
