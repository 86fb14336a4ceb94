// How much of a new image a host does not have yet, counted in layers.
import { formatDecimalSize } from "../format/size.ts";

export interface LayerSize {
  readonly digest: string;
  /** Size of the blob that is transferred, which is usually compressed. */
  readonly sizeBytes: number;
}

/** Compares the layers of both manifests, in the three lines that people and scripts know. */
export function describeManifestDifference(
  from: readonly LayerSize[],
  to: readonly LayerSize[],
): readonly string[] {
  return [
    describe("Total new layers: ", to),
    describe("Removed layers:   ", without(from, to)),
    describe("Added layers:     ", without(to, from)),
  ];
}

function without(layers: readonly LayerSize[], others: readonly LayerSize[]): readonly LayerSize[] {
  const digests = new Set(others.map((it) => it.digest));
  return layers.filter((it) => !digests.has(it.digest));
}

function describe(label: string, layers: readonly LayerSize[]): string {
  const size = layers.reduce((sum, it) => sum + it.sizeBytes, 0);
  return `${label}${String(layers.length).padEnd(4)}  Size: ${formatDecimalSize(size)}`;
}
