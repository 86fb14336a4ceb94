// The documents of an image with three layers, and of an index, for tests of their parsers.
import { parseConfig } from "../image/config.ts";
import { parseImageManifest } from "../image/manifest.ts";

export const digest = (n: number) => `sha256:${n.toString(16).padStart(64, "0")}`;
export const descriptor = (
  n: number,
  mediaType = "application/vnd.oci.image.layer.v1.tar+gzip",
) => ({
  mediaType,
  digest: digest(n),
  size: n * 100,
});

export const MANIFEST = {
  schemaVersion: 2,
  mediaType: "application/vnd.oci.image.manifest.v1+json",
  config: descriptor(1, "application/vnd.oci.image.config.v1+json"),
  layers: [descriptor(2), descriptor(3), descriptor(4)],
  annotations: { a: "b" },
};

export const CONFIG = {
  architecture: "amd64",
  os: "linux",
  created: "2026-01-02T03:04:05.678Z",
  config: { Labels: { "containers.bootc": "1", version: "41.1" } },
  rootfs: { type: "layers", diff_ids: [digest(12), digest(13), digest(14)] },
  history: [{ created_by: "x" }],
};

export const INDEX = {
  schemaVersion: 2,
  manifests: [
    { ...descriptor(5), platform: { os: "linux", architecture: "amd64" } },
    { ...descriptor(6), platform: { os: "linux", architecture: "arm64", variant: "v8" } },
    { ...descriptor(7), platform: { os: "unknown", architecture: "unknown" } },
  ],
};

export const manifest = () => parseImageManifest(JSON.stringify(MANIFEST));
export const config = (more: object = {}) => parseConfig(JSON.stringify({ ...CONFIG, ...more }));
export const labelled = (labels: object) => config({ config: { Labels: labels } });
