// Which tests exist: `unit` beside the code, `cli`, `repo`, `packages` and `vm` against the real thing.
import { defineConfig } from "vitest/config";
import { APART } from "./xtask/suites/apart.ts";

// What git does in the background after a commit or fetch would meet the removal of a test's clone.
const env = {
  GIT_CONFIG_COUNT: "2",
  ...{ GIT_CONFIG_KEY_0: "maintenance.auto", GIT_CONFIG_VALUE_0: "false" },
  ...{ GIT_CONFIG_KEY_1: "gc.auto", GIT_CONFIG_VALUE_1: "0" },
};
const noted = { setupFiles: ["tests/progress.ts"], env };
const slow = { ...noted, testTimeout: 600_000, hookTimeout: 900_000, fileParallelism: false };
// A boot takes a minute under emulation, and five on a machine that has other things to do.
const emulated = { ...slow, testTimeout: 1_800_000, hookTimeout: 1_800_000 };

/** What can be tested of the power cuts without a machine. */
const CUTS = "tests/vm/cut-*.test.ts";
const unit = { ...noted, testTimeout: 30_000, unstubEnvs: true };

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: [
            ...["{src,xtask,bench}/**/*.test.ts", "tests/{crash,faults,hostile}/**/*.test.ts"],
            CUTS,
          ],
          exclude: [...APART],
          isolate: false,
          ...unit,
        },
      },
      { test: { name: "unit-apart", include: [...APART], ...unit } },
      {
        test: { name: "cli", include: ["tests/cli/**/*.test.ts"], testTimeout: 120_000, ...noted },
      },
      { test: { name: "repo", include: ["tests/repo/**/*.test.ts"], ...slow } },
      { test: { name: "packages", include: ["tests/packages/**/*.test.ts"], ...slow } },
      { test: { name: "vm", include: ["tests/vm/**/*.test.ts"], exclude: [CUTS], ...emulated } },
    ],
  },
});
