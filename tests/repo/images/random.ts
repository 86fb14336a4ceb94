// Random numbers that are the same in every run: test images must not change under the tests.

/** A generator of integers below `limit`, seeded; the algorithm is mulberry32. */
export function createRandom(seed: number): (limit: number) => number {
  let state = seed >>> 0;
  return (limit) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let it = Math.imul(state ^ (state >>> 15), state | 1);
    it = (it + Math.imul(it ^ (it >>> 7), it | 61)) ^ it;
    return ((it ^ (it >>> 14)) >>> 0) % limit;
  };
}

export function randomBytes(random: (limit: number) => number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i++) bytes[i] = random(256);
  return bytes;
}
