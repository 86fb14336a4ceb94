// How much of a new image a host does not have yet, counted in layers.

export interface LayerSize {
  readonly digest: string;
  /** As it travels, hence mostly compressed. */
  readonly sizeBytes: number;
}

/** The layers of both manifests compared, as the three lines people and scripts know. */
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

/** A size for people, in powers of ten: `512 bytes`, `1.5 kB`, `943.2 MB`. */
export function formatSize(bytes: number): string {
  if (bytes < 1000) return `${bytes} ${bytes === 1 ? "byte" : "bytes"}`;
  const units = ["kB", "MB", "GB", "TB", "PB"];
  let value = bytes / 1000;
  while (value >= 1000 && units.length > 1) {
    value /= 1000;
    units.shift();
  }
  return `${value.toFixed(1)} ${units[0]}`;
}

function without(layers: readonly LayerSize[], others: readonly LayerSize[]): readonly LayerSize[] {
  const digests = new Set(others.map((it) => it.digest));
  return layers.filter((it) => !digests.has(it.digest));
}

function describe(label: string, layers: readonly LayerSize[]): string {
  const size = layers.reduce((sum, it) => sum + it.sizeBytes, 0);
  return `${label}${String(layers.length).padEnd(4)}  Size: ${formatSize(size)}`;
}
