// What is in the executable, as CycloneDX and as SPDX: from the lists the package is made of, so that the
// same commit gives the same bytes. `npm sbom` has a random serial number, the hour, and no idea of Node.
import { createHash } from "node:crypto";
import type { RuntimeManifest } from "../runtime/pack.ts";
import type { VendoredPackage, VendorManifest } from "../vendor/manifest.ts";

export interface Inventory {
  /** Of the checkout, in RPM's notation. */
  readonly version: string;
  readonly license: string;
  /** Seconds since 1970: the only time in the documents. */
  readonly commitEpoch: number;
  readonly vendor: VendorManifest;
  readonly runtime: RuntimeManifest;
  /** `process.versions` of the pinned Node: the libraries compiled into it. */
  readonly runtimeVersions: Readonly<Record<string, string | undefined>>;
}

interface Part {
  /** Unique in a document, of letters, digits, dots and dashes. */
  readonly id: string;
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  /** SPDX expression; empty when nobody states one. */
  readonly license: string;
  readonly hashes: readonly { readonly algorithm: "SHA-256" | "SHA-512"; readonly hex: string }[];
  readonly parent: "program" | "runtime";
}

const URL_BASE = "https://github.com/bootc-ts/bootc";
/** The namespace for URLs of RFC 9562, appendix. */
const UUID_URL = Buffer.from("6ba7b8119dad11d180b400c04fd430c8", "hex");
/** Entries of `process.versions` that are no libraries. */
const NO_LIBRARIES = new Set(["node", "modules", "napi", "amaro"]);

/** Everything inside besides our own code, by name. */
export function listParts({ vendor, runtime, runtimeVersions }: Inventory): readonly Part[] {
  const packages = vendor.packages
    .filter((it) => it.kind === "normal" && !it.name.startsWith("node-linux-"))
    .map(partOfPackage);
  const libraries = Object.entries(runtimeVersions)
    .filter(([name, version]) => version !== undefined && !NO_LIBRARIES.has(name))
    .map(([name, version = ""]) => ({
      id: idOf(`node-${name}-${version}`),
      name,
      version,
      purl: `pkg:generic/${encodeURIComponent(name)}@${encodeURIComponent(version)}`,
      license: "",
      hashes: [],
      parent: "runtime" as const,
    }));
  return [partOfRuntime(runtime), ...packages, ...libraries];
}

function partOfPackage(it: VendoredPackage): Part {
  const integrity = it.originalIntegrity ?? it.integrity;
  const base64 = /^sha512-(\S+)/.exec(integrity)?.[1];
  const hex = base64 === undefined ? undefined : Buffer.from(base64, "base64").toString("hex");
  return {
    id: idOf(`npm-${it.name}-${it.version}`),
    name: it.name,
    version: it.version,
    purl: `pkg:npm/${it.name.replace("@", "%40")}@${encodeURIComponent(it.version)}`,
    license: it.license,
    hashes: hex === undefined ? [] : [{ algorithm: "SHA-512", hex }],
    parent: "program",
  };
}

function partOfRuntime({ version, runtimes }: RuntimeManifest): Part {
  return {
    id: "node",
    name: "node",
    version,
    purl: `pkg:generic/node@${version}?download_url=https://nodejs.org/dist/v${version}/`,
    license: "MIT",
    hashes: Object.values(runtimes).map((it) => ({
      algorithm: "SHA-256" as const,
      hex: it.strippedSha256,
    })),
    parent: "program",
  };
}

function idOf(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9.]+/g, "-");
}

/** CycloneDX 1.6, https://cyclonedx.org/docs/1.6/json/ */
export function formatCycloneDx(inventory: Inventory): string {
  const parts = listParts(inventory);
  const component = (it: Part) => ({
    type: it.id === "node" ? "platform" : "library",
    "bom-ref": it.id,
    name: it.name,
    version: it.version,
    purl: it.purl,
    ...(it.license === "" ? {} : { licenses: [{ expression: it.license }] }),
    // One digest per algorithm: those of the runtime, one per architecture, stand in the SPDX document.
    ...(it.hashes.length === 1
      ? { hashes: it.hashes.map(({ algorithm, hex }) => ({ alg: algorithm, content: hex })) }
      : {}),
  });
  const childrenOf = (parent: Part["parent"]) =>
    parts.filter((it) => it.parent === parent).map((it) => it.id);
  const document = {
    $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    serialNumber: `urn:uuid:${uuidOf(inventory, parts)}`,
    version: 1,
    metadata: {
      timestamp: timestampOf(inventory),
      component: {
        type: "application",
        "bom-ref": "bootc",
        name: "bootc",
        version: inventory.version,
        purl: `pkg:github/bootc-ts/bootc@${encodeURIComponent(inventory.version)}`,
        licenses: [{ expression: inventory.license }],
      },
    },
    components: parts.map(component),
    dependencies: [
      { ref: "bootc", dependsOn: childrenOf("program") },
      { ref: "node", dependsOn: childrenOf("runtime") },
    ],
  };
  return `${JSON.stringify(document, undefined, 2)}\n`;
}

/** SPDX 2.3, https://spdx.github.io/spdx-spec/v2.3/ */
export function formatSpdx(inventory: Inventory): string {
  const parts = listParts(inventory);
  const reference = (id: string) => `SPDXRef-Package-${id}`;
  const spdxPackage = (it: Part) => ({
    SPDXID: reference(it.id),
    name: it.name,
    versionInfo: it.version,
    downloadLocation: "NOASSERTION",
    filesAnalyzed: false,
    licenseConcluded: "NOASSERTION",
    licenseDeclared: it.license || "NOASSERTION",
    copyrightText: "NOASSERTION",
    checksums: it.hashes.map(({ algorithm, hex }) => ({
      algorithm: algorithm.replace("-", ""),
      checksumValue: hex,
    })),
    externalRefs: [
      { referenceCategory: "PACKAGE-MANAGER", referenceType: "purl", referenceLocator: it.purl },
    ],
  });
  const program: Part = {
    id: "bootc",
    name: "bootc",
    version: inventory.version,
    purl: `pkg:github/bootc-ts/bootc@${encodeURIComponent(inventory.version)}`,
    license: inventory.license,
    hashes: [],
    parent: "program",
  };
  const document = {
    spdxVersion: "SPDX-2.3",
    dataLicense: "CC0-1.0",
    SPDXID: "SPDXRef-DOCUMENT",
    name: `bootc-${inventory.version}`,
    documentNamespace: `${URL_BASE}/spdx/${uuidOf(inventory, parts)}`,
    creationInfo: { created: timestampOf(inventory), creators: ["Tool: bootc-xtask"] },
    packages: [program, ...parts].map(spdxPackage),
    relationships: [
      {
        spdxElementId: "SPDXRef-DOCUMENT",
        relationshipType: "DESCRIBES",
        relatedSpdxElement: reference("bootc"),
      },
      ...parts.map((it) => ({
        spdxElementId: reference(it.parent === "program" ? "bootc" : "node"),
        relationshipType: "CONTAINS",
        relatedSpdxElement: reference(it.id),
      })),
    ],
  };
  return `${JSON.stringify(document, undefined, 2)}\n`;
}

function timestampOf({ commitEpoch }: Inventory): string {
  return new Date(commitEpoch * 1000).toISOString().replace(".000Z", "Z");
}

/** A name-based UUID (version 5) of the content: another content, another document. */
function uuidOf(inventory: Inventory, parts: readonly Part[]): string {
  const name = `${URL_BASE}/sbom/${inventory.version}/${JSON.stringify(parts)}`;
  const hash = createHash("sha1").update(UUID_URL).update(name).digest().subarray(0, 16);
  hash[6] = ((hash[6] ?? 0) & 0x0f) | 0x50;
  hash[8] = ((hash[8] ?? 0) & 0x3f) | 0x80;
  const hex = hash.toString("hex");
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join("-");
}
