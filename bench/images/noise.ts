// Reproducible numbers and bytes, from a seed.

/** Bytes that gzip halves: noise and text in turn. */
export function fileContent(seed: number, size: number): Buffer {
  const bytes = Buffer.allocUnsafe(size);
  const random = xorshift(seed);
  const text = `record ${seed} of a generated file with some words that come again\n`;
  for (let at = 0; at < size; ) {
    const isNoise = (at >> 8) % 2 === 0;
    const end = Math.min(size, at + 256);
    if (isNoise) for (; at < end; at++) bytes[at] = random() * 256;
    else at += bytes.write(text.repeat(4).slice(0, end - at), at, "latin1");
  }
  return bytes;
}

/** Sizes of many small files and a few large ones, as on a real system, with the sum `total`. */
export function fileSizes(count: number, total: number, seed: number): readonly number[] {
  const random = xorshift(seed);
  const weights = Array.from({ length: count }, () => 1 / (0.002 + random() ** 2));
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => Math.max(1, Math.round((weight / sum) * total)));
}

/** A generator of numbers in [0, 1); the seed may be any number. */
export function xorshift(seed: number): () => number {
  let state = (seed ^ 0x9e3779b9) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state / 2 ** 32;
  };
}
