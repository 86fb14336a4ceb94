// The unit tests, with one file changed on its way into them: the checkout stays as it is.
import { readFileSync } from "node:fs";
import { defineConfig } from "vitest/config";

/** Absolute path of the file that is changed, and that of the text that is taken instead. */
const { BOOTC_MUTATED: mutated, BOOTC_MUTANT: mutant } = process.env;

export default defineConfig({
  root: `${import.meta.dirname}/../..`,
  plugins: [
    {
      name: "mutant",
      enforce: "pre",
      load: (id) => (id === mutated && mutant ? readFileSync(mutant, "utf8") : null),
      // Vitest keeps what it made of a file between runs, and does not ask where its text came from.
      configureVitest: ({ defineCacheKeyGenerator }) =>
        defineCacheKeyGenerator(({ id }) => (id === mutated ? false : null)),
    },
  ],
  test: {
    include: ["src/**/*.test.ts", "xtask/**/*.test.ts", "tests/hostile/**/*.test.ts"],
    testTimeout: 30_000,
    // What fails once has noticed.
    bail: process.env.BOOTC_MUTANT === undefined ? 0 : 1,
  },
});
