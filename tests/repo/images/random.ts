// Reproducible random numbers: test images must never change, and the random choices of a failed test must be
// known.

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

/**
 * The seed for a test's random choices: `$BOOTC_TEST_SEED`, else the time. A test that uses the seed must show
 * it where the report of a failure has it; the same seed repeats the choices.
 */
export function chosenSeed(): number {
  const text = process.env.BOOTC_TEST_SEED ?? String(Date.now() % 0x1_0000_0000);
  const seed = Number(text);
  if (Number.isSafeInteger(seed) && seed >= 0) return seed;
  throw new Error(`BOOTC_TEST_SEED is \`${text}\`, which is not a natural number`);
}
