import { Ajv } from "ajv";
import { expect, test } from "vitest";
import type { Inside } from "../licenses/inside.ts";
import type { VendoredPackage } from "../vendor/manifest.ts";
import { decideBill, formatTimestamp, uuidOf } from "./components.ts";
import { formatCycloneDx } from "./cyclonedx.ts";
import { formatSpdx } from "./spdx.ts";

const INTEGRITY = `sha512-${Buffer.alloc(64, 7).toString("base64")}`;

function packageOf(name: string, some: Partial<VendoredPackage> = {}): VendoredPackage {
  return {
    name,
    version: "1.0.0-rc.1+x",
    kind: "normal",
    paths: [`node_modules/${name}`],
    file: `vendor/${name}.tgz`,
    sizeBytes: 1,
    integrity: INTEGRITY,
    filteredFiles: [],
    filteredBytes: 0,
    license: "MIT",
    licenseFiles: ["x"],
    ...some,
  };
}

const INSIDE: Inside = {
  project: { name: "bootc", license: "Apache-2.0 OR MIT", dependencies: { a: "1" } },
  lock: {
    lockfileVersion: 3,
    packages: {
      "": { dependencies: { a: "1" } },
      "node_modules/a": { dependencies: { "@s/b": "1", tool: "1" } },
      "node_modules/@s/b": {},
      "node_modules/tool": {},
    },
  },
  manifest: {
    formatVersion: 1,
    name: "bootc",
    version: "2.0.0",
    platforms: [],
    keepDepKinds: "no-dev",
    packages: [
      packageOf("@s/b", {
        license: "MIT OR ISC",
        integrity: "sha512-AAAA",
        originalIntegrity: INTEGRITY,
      }),
      packageOf("a"),
      packageOf("tool", { kind: "build" }),
    ],
  },
  runtimeText: "",
  readText: async () => "",
};

const FACTS = {
  version: "2.0.0^20261123140201.g0123456789",
  epoch: 1_700_000_000,
  runtimeVersions: {
    node: "26.10.0",
    openssl: "3.5.8",
    uv: "1.52.1",
    v8: "14.6",
    modules: "147",
    nghttp3: "",
  },
};

/** The parts of the published schemas that our documents must follow. */
const CYCLONEDX = {
  type: "object",
  required: [
    "bomFormat",
    "specVersion",
    "serialNumber",
    "version",
    "metadata",
    "components",
    "dependencies",
  ],
  properties: {
    bomFormat: { const: "CycloneDX" },
    specVersion: { const: "1.6" },
    serialNumber: {
      pattern: "^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
    },
    version: { type: "integer", minimum: 1 },
    metadata: {
      type: "object",
      required: ["timestamp", "component"],
      properties: {
        timestamp: { pattern: "^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ$" },
        component: { $ref: "#/definitions/component" },
      },
    },
    components: { type: "array", items: { $ref: "#/definitions/component" } },
    dependencies: {
      type: "array",
      items: {
        type: "object",
        required: ["ref", "dependsOn"],
        properties: { dependsOn: { type: "array", uniqueItems: true, items: { type: "string" } } },
      },
    },
  },
  definitions: {
    component: {
      type: "object",
      required: ["type", "name", "version", "bom-ref", "purl", "licenses"],
      additionalProperties: false,
      properties: {
        type: { enum: ["application", "library", "platform"] },
        name: { type: "string", minLength: 1 },
        version: { type: "string", minLength: 1 },
        "bom-ref": { type: "string" },
        purl: { pattern: "^pkg:[a-z]+/[^@]+@[^@]+$" },
        hashes: {
          items: {
            properties: { alg: { const: "SHA-512" }, content: { pattern: "^[0-9a-f]{128}$" } },
          },
        },
        licenses: {
          minItems: 1,
          items: {
            oneOf: [
              {
                type: "object",
                required: ["expression"],
                additionalProperties: false,
                properties: { expression: {} },
              },
              {
                type: "object",
                required: ["license"],
                additionalProperties: false,
                properties: { license: {} },
              },
            ],
          },
        },
        components: { type: "array", items: { $ref: "#/definitions/component" } },
      },
    },
  },
};

const SPDX_ID = { pattern: "^SPDXRef-[A-Za-z0-9.-]+$" };

const SPDX = {
  type: "object",
  required: [
    "spdxVersion",
    "dataLicense",
    "SPDXID",
    "name",
    "documentNamespace",
    "creationInfo",
    "packages",
  ],
  properties: {
    spdxVersion: { const: "SPDX-2.3" },
    dataLicense: { const: "CC0-1.0" },
    SPDXID: { const: "SPDXRef-DOCUMENT" },
    documentNamespace: { pattern: "^https://[^#]+$" },
    creationInfo: { type: "object", required: ["created", "creators"] },
    packages: {
      type: "array",
      items: {
        type: "object",
        required: ["SPDXID", "name", "downloadLocation", "licenseDeclared"],
        properties: {
          SPDXID: SPDX_ID,
          checksums: { items: { required: ["algorithm", "checksumValue"] } },
        },
      },
    },
    relationships: {
      type: "array",
      items: {
        required: ["spdxElementId", "relationshipType", "relatedSpdxElement"],
        properties: { spdxElementId: SPDX_ID, relatedSpdxElement: SPDX_ID },
      },
    },
  },
};

test.each([
  { name: "CycloneDX", format: formatCycloneDx, schema: CYCLONEDX },
  { name: "SPDX", format: formatSpdx, schema: SPDX },
])("$name follows its schema", ({ format, schema }) => {
  const validate = new Ajv({ strict: false, allErrors: true }).compile(schema);
  validate(JSON.parse(format(decideBill(INSIDE, FACTS))));
  expect(validate.errors).toBeNull();
});

test.each([
  { name: "CycloneDX", format: formatCycloneDx },
  { name: "SPDX", format: formatSpdx },
])("$name: every reference resolves, and no two components have the same name", ({ format }) => {
  const text = format(decideBill(INSIDE, FACTS));
  const ids = [...text.matchAll(/"(?:bom-ref|SPDXID)": "([^"]+)"/g)].map(([, id]) => id);
  expect(new Set(ids).size).toBe(ids.length);
  const document = JSON.parse(text);
  const used: string[] = [
    ...(document.dependencies ?? []).flatMap((it: { ref: string; dependsOn: string[] }) => [
      it.ref,
      ...it.dependsOn,
    ]),
    ...(document.relationships ?? []).flatMap(
      (it: { spdxElementId: string; relatedSpdxElement: string }) => [
        it.spdxElementId,
        it.relatedSpdxElement,
      ],
    ),
  ];
  expect(used.filter((it) => !ids.includes(it))).toEqual([]);
  expect(used.length).toBeGreaterThan(5);
});

test("packages carry the registry's digest and what they need; build tools are left out", () => {
  const bill = decideBill(INSIDE, FACTS);
  expect(bill.packages).toEqual([
    {
      purl: "pkg:npm/%40s/b@1.0.0-rc.1%2Bx",
      name: "@s/b",
      version: "1.0.0-rc.1+x",
      license: "MIT OR ISC",
      sha512: "07".repeat(64),
      needs: [],
    },
    expect.objectContaining({ name: "a", needs: ["pkg:npm/%40s/b@1.0.0-rc.1%2Bx"] }),
  ]);
  expect(bill.program.needs).toEqual(["pkg:npm/a@1.0.0-rc.1%2Bx", "pkg:generic/node@26.10.0"]);
});

test("the runtime's parts have the names the world knows; versions of interfaces are not parts", () => {
  const names = decideBill(INSIDE, FACTS).runtimeParts.map((it) => `${it.name} ${it.version}`);
  expect(names.sort()).toEqual(["libuv 1.52.1", "openssl 3.5.8", "v8 14.6"]);
});

test("the same content has the same identifier, other content another", () => {
  const first = formatCycloneDx(decideBill(INSIDE, FACTS));
  expect(formatCycloneDx(decideBill(INSIDE, FACTS))).toBe(first);
  const serial = (text: string) => JSON.parse(text).serialNumber;
  expect(serial(formatCycloneDx(decideBill(INSIDE, { ...FACTS, epoch: 1 })))).not.toBe(
    serial(first),
  );
});

test("identifiers are those of RFC 9562, version 5", () => {
  // uuid.uuid5(uuid.NAMESPACE_URL, "abc") of Python 3.11
  expect(uuidOf("abc")).toBe("68661508-f3c4-55b4-945d-ae2b4dfe5db4");
  expect(formatTimestamp(1_700_000_000)).toBe("2023-11-14T22:13:20Z");
});
