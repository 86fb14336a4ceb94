// Runs the unit tests with another text for one file, without touching the checkout.
import { readFileSync } from "node:fs";
import { defineConfig } from "vitest/config";
import { APART } from "../suites/apart.ts";

/** Absolute paths of the file to be replaced, and of the text to use instead. */
const { BOOTC_MUTATED: mutated, BOOTC_MUTANT: mutant } = process.env;

const TESTS = [
  "src/**/*.test.ts",
  "xtask/**/*.test.ts",
  "tests/{crash,faults,hostile}/**/*.test.ts",
  "tests/vm/cut-*.test.ts",
];
const unit = { testTimeout: 30_000, unstubEnvs: true };

export default defineConfig({
  root: `${import.meta.dirname}/../..`,
  plugins: [
    {
      name: "mutant",
      enforce: "pre",
      load: (id) => (id === mutated && mutant ? readFileSync(mutant, "utf8") : null),
      // Vitest caches transformed files between runs, and would not notice the other text.
      configureVitest: ({ defineCacheKeyGenerator }) =>
        defineCacheKeyGenerator(({ id }) => (id === mutated ? false : null)),
    },
  ],
  test: {
    // One failing test is enough to notice a mutant.
    bail: process.env.BOOTC_MUTANT === undefined ? 0 : 1,
    // As in the suite: a process for each file would take more time than the tests.
    projects: [
      {
        extends: true,
        test: { ...unit, name: "unit", include: TESTS, exclude: [...APART], isolate: false },
      },
      { extends: true, test: { ...unit, name: "unit-apart", include: [...APART] } },
    ],
  },
});
