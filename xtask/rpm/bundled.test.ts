import { expect, test } from "vitest";
import type { VendorManifest } from "../vendor/manifest.ts";
import { listBundled } from "./bundled.ts";

const vendor = {
  packages: [
    { name: "yaml", version: "2.9.1", kind: "normal" },
    { name: "@a/b", version: "1.0.0-rc.1", kind: "normal" },
    { name: "esbuild-wasm", version: "0.28.2", kind: "build" },
  ],
} as unknown as VendorManifest;

test("lists the runtime, its parts with a version, and bundled packages, but not the bundler", () => {
  const versions = { openssl: "3.5.8", v8: "14.6.202.34-node.34", undici: "8.10.2", nghttp3: "" };
  expect(listBundled(vendor, { version: "26.10.0" }, versions)).toEqual([
    { name: "nodejs", version: "26.10.0" },
    { name: "nodejs-@a/b", version: "1.0.0~rc.1" },
    { name: "nodejs-undici", version: "8.10.2" },
    { name: "nodejs-yaml", version: "2.9.1" },
    { name: "openssl", version: "3.5.8" },
    { name: "v8", version: "14.6.202.34^node.34" },
  ]);
});
