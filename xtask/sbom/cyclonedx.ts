// CycloneDX 1.6 in JSON: https://cyclonedx.org/docs/1.6/json/
import { type BillOfMaterials, type Component, formatTimestamp, uuidOf } from "./components.ts";

export function formatCycloneDx(bill: BillOfMaterials): string {
  const { program, packages, runtime, runtimeParts, epoch } = bill;
  const components = [
    ...packages.map((it) => formatComponent(it, "library")),
    {
      ...formatComponent(runtime, "platform"),
      components: runtimeParts.map((it) => formatComponent(it, "library")),
    },
  ];
  const content = {
    metadata: {
      timestamp: formatTimestamp(epoch),
      tools: {
        components: [{ type: "application", name: "bootc xtask", version: program.version }],
      },
      component: formatComponent(program, "application"),
    },
    components,
    dependencies: [program, ...packages, runtime, ...runtimeParts].map(({ purl, needs }) => ({
      ref: purl,
      dependsOn: needs,
    })),
  };
  const document = {
    $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    serialNumber: `urn:uuid:${uuidOf(JSON.stringify(content))}`,
    version: 1,
    ...content,
  };
  return `${JSON.stringify(document, undefined, 2)}\n`;
}

function formatComponent(component: Component, type: "application" | "library" | "platform") {
  const isExpression = /\s/.test(component.license);
  return {
    type,
    "bom-ref": component.purl,
    name: component.name,
    version: component.version,
    ...(component.sha512 === undefined
      ? {}
      : { hashes: [{ alg: "SHA-512", content: component.sha512 }] }),
    licenses: isExpression
      ? [{ expression: component.license }]
      : [{ license: { id: component.license } }],
    purl: component.purl,
  };
}
