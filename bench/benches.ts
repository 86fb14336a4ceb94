// All benchmarks by name, and names for several at once.
import type { Bench } from "./bench.ts";
import { bench as executableOptions } from "./executable-options.ts";
import { bench as merge } from "./merge.ts";
import { bench as packageAgain } from "./package.ts";
import { PULLS, TARGETS } from "./pulls/cases.ts";
import { bench as startUp } from "./start-up.ts";
import { bench as status } from "./status.ts";

export const BENCHES: Readonly<Record<string, Bench>> = {
  ...PULLS,
  merge,
  status,
  "start-up": startUp,
  "executable-options": executableOptions,
  package: packageAgain,
};

/** `targets`: pulls of the images people run. */
export const GROUPS: Readonly<Record<string, readonly string[]>> = { targets: TARGETS };
