// Spreads the packages of a system over the layers of its image.

/** Chunks are numbered from 1, as in an encapsulated image, whose layer 0 has the metadata. */
export type ChunkNumber = number;

/** Gives each package to the chunk that is smallest so far, the largest package first. */
export function assignChunks(
  sizes: ReadonlyMap<string, number>,
  chunkCount: number,
): ReadonlyMap<string, ChunkNumber> {
  const filled = Array.from({ length: chunkCount }, () => 0);
  const largestFirst = [...sizes].toSorted(
    ([name, size], [otherName, other]) => other - size || (name < otherName ? -1 : 1),
  );
  return new Map(
    largestFirst.map(([name, size]) => {
      const smallest = filled.indexOf(Math.min(...filled));
      filled[smallest] = (filled[smallest] ?? 0) + size;
      return [name, smallest + 1];
    }),
  );
}

/** Chooses `count` of the chunks `1..chunkCount`, spread evenly. */
export function chooseChunks(count: number, chunkCount: number): readonly ChunkNumber[] {
  return Array.from({ length: count }, (_, i) => 1 + Math.floor(((i + 0.5) * chunkCount) / count));
}
