// SPDX 2.3 in JSON: https://spdx.github.io/spdx-spec/v2.3/
import { type BillOfMaterials, type Component, formatTimestamp, uuidOf } from "./components.ts";

export function formatSpdx(bill: BillOfMaterials): string {
  const { program, packages, runtime, runtimeParts, epoch } = bill;
  const all = [program, ...packages, runtime, ...runtimeParts];
  const content = {
    packages: all.map(formatPackage),
    relationships: [
      relate("SPDXRef-DOCUMENT", "DESCRIBES", idOf(program.purl)),
      ...packages.map((it) => relate(idOf(program.purl), "CONTAINS", idOf(it.purl))),
      relate(idOf(program.purl), "CONTAINS", idOf(runtime.purl)),
      ...runtimeParts.map((it) => relate(idOf(runtime.purl), "CONTAINS", idOf(it.purl))),
      ...[program, ...packages].flatMap(({ purl, needs }) =>
        needs.map((it) => relate(idOf(purl), "DEPENDS_ON", idOf(it))),
      ),
    ],
  };
  const name = `${program.name}-${program.version}`;
  const document = {
    spdxVersion: "SPDX-2.3",
    dataLicense: "CC0-1.0",
    SPDXID: "SPDXRef-DOCUMENT",
    name,
    // An identifier, not an address: SPDX 2.3 section 6.5 requires one that nobody else uses.
    documentNamespace: `https://spdx.org/spdxdocs/${encodeURIComponent(name)}-${uuidOf(JSON.stringify(content))}`,
    creationInfo: { created: formatTimestamp(epoch), creators: ["Tool: bootc-xtask"] },
    ...content,
  };
  return `${JSON.stringify(document, undefined, 2)}\n`;
}

function formatPackage(component: Component) {
  return {
    SPDXID: idOf(component.purl),
    name: component.name,
    versionInfo: component.version,
    downloadLocation: "NOASSERTION",
    filesAnalyzed: false,
    licenseConcluded: "NOASSERTION",
    licenseDeclared: component.license,
    copyrightText: "NOASSERTION",
    ...(component.sha512 === undefined
      ? {}
      : { checksums: [{ algorithm: "SHA512", checksumValue: component.sha512 }] }),
    externalRefs: [
      {
        referenceCategory: "PACKAGE-MANAGER",
        referenceType: "purl",
        referenceLocator: component.purl,
      },
    ],
  };
}

function relate(from: string, relationshipType: string, to: string) {
  return { spdxElementId: from, relationshipType, relatedSpdxElement: to };
}

/** SPDX allows only letters, digits, dots and hyphens. */
function idOf(purl: string): string {
  return `SPDXRef-${purl
    .replace(/^pkg:/, "")
    .replaceAll("%40", "")
    .replace(/[^A-Za-z0-9.-]+/g, "-")}`;
}
