// The pulls that are measured, with the bounds for each: one table for all benchmarks of pulls.
import type { Bench } from "../bench.ts";
import type { ImageKind } from "../images/synthetic.ts";
import { FAR, NEAR } from "./bed.ts";
import { benchPulls, type PullCase } from "./compare.ts";

const GIGABYTE = { files: 30_000, sizeBytes: 1_000_000_000 } as const;
const MEBIBYTE = 2 ** 20;
/** The most memory of a pull of an image that people run, and of a generated one with many layers. */
const PEAK = { peakBytesMax: 150 * MEBIBYTE };
/** That of generated images whose few layers are larger than any that people build. */
const PEAK_OF_LARGE_LAYERS = { peakBytesMax: 250 * MEBIBYTE };

const peakOf = (layers: number) => (layers < 64 ? PEAK_OF_LARGE_LAYERS : PEAK);

type Cases = Readonly<Record<string, readonly PullCase[]>>;

const LABELLED: PullCase = {
  title: "First pull, labelled base in 65 layers",
  image: "base",
  distance: NEAR,
  baselines: { floor: { ratioMax: 1.5, ...PEAK } },
  againstOther: { ratioMax: 0.5, cpuRatioMax: 0.8 },
  rounds: 4,
};

const LABELLED_DERIVED: PullCase = {
  title: "First pull, labelled base with derived layers and a policy",
  image: "derived",
  distance: NEAR,
  baselines: { floor: { ratioMax: 1.6, ...PEAK } },
  againstOther: { ratioMax: 0.5, cpuRatioMax: 0.8 },
  rounds: 4,
};

const UPDATE_DERIVED: PullCase = {
  title: "Update of one derived layer",
  before: "derived",
  image: "new-layer",
  distance: NEAR,
  baselines: { floor: { ratioMax: 2.5, moreMsMax: 400, ...PEAK } },
  againstOther: { ratioMax: 0.4, cpuRatioMax: 0.6 },
  rounds: 5,
};

const DAILY: PullCase = {
  title: "Daily update, 12 of 64 chunks and a derived layer",
  before: "derived",
  image: "daily",
  distance: NEAR,
  baselines: { floor: { ratioMax: 1.7, ...PEAK } },
  againstOther: { ratioMax: 0.5 },
  rounds: 5,
};

const POLICY_UPDATE: PullCase = {
  title: "Update to a policy that labels some hundred files differently",
  before: "derived",
  image: "new-policy",
  distance: NEAR,
  baselines: { floor: PEAK },
  rounds: 5,
};

const UNCHANGED: PullCase = {
  title: "Nothing new",
  before: "derived",
  image: "derived",
  distance: NEAR,
  baselines: { inspect: { moreMsMax: 60, ...PEAK } },
  againstOther: { ratioMax: 1 },
  rounds: 15,
};

const PLAIN_DIRECTORIES: PullCase = {
  title: "First pull, 64 plain layers with all directories in each",
  image: "plain",
  distance: NEAR,
  baselines: { floor: { ratioMax: 1.5, ...PEAK } },
  againstOther: { ratioMax: 0.45 },
  rounds: 4,
};

/** Images as people run them, nearby; also the columns of the page of figures. */
const NEARBY = {
  labelled: [LABELLED],
  "labelled-derived": [LABELLED_DERIVED],
  "update-derived": [UPDATE_DERIVED],
  daily: [DAILY],
  "policy-update": [POLICY_UPDATE],
  unchanged: [UNCHANGED],
  "plain-directories": [PLAIN_DIRECTORIES],
} as const satisfies Cases;

/** The same from afar. */
const AFAR = {
  "labelled-far": [fromAfar(LABELLED, { floor: PEAK })],
  "labelled-derived-far": [
    {
      ...fromAfar(LABELLED_DERIVED, { floor: { ratioMax: 1.2, ...PEAK } }),
      againstOther: { ratioMax: 0.5 },
    },
  ],
  "update-derived-far": [
    {
      ...fromAfar(UPDATE_DERIVED, { "asking-floor": { ratioMax: 1.3, ...PEAK } }),
      againstOther: { ratioMax: 0.8 },
    },
  ],
  "daily-far": [fromAfar(DAILY, { "asking-floor": PEAK })],
  "policy-update-far": [fromAfar(POLICY_UPDATE, { "asking-floor": PEAK })],
  "unchanged-far": [
    {
      ...fromAfar(UNCHANGED, { inspect: { ratioMax: 1.1, ...PEAK } }),
      againstOther: { ratioMax: 1 },
      rounds: 7,
    },
  ],
  "plain-directories-far": [fromAfar(PLAIN_DIRECTORIES, { floor: PEAK })],
} as const satisfies Cases;

const BEFORE_UPDATE = { kind: "derived", layers: 64, ...GIGABYTE } as const;

/** The uppermost layer changes, as in an image whose base stays the same. */
const UPDATE: PullCase = {
  title: "Update, 1 of 64 layers changed",
  before: BEFORE_UPDATE,
  image: { ...BEFORE_UPDATE, changedLayer: BEFORE_UPDATE.layers - 1 },
  distance: NEAR,
  baselines: { serial: { ratioMax: 0.25 } },
  rounds: 5,
};

/** Generated images of 1 GB, by number of layers. */
const GENERATED: Cases = {
  "first-pull": [1, 8, 64, 128].map((layers) => ({
    ...firstPull("derived", layers),
    baselines: {
      serial: layers === 64 ? { ratioMax: 0.55 } : {},
      floor: { ratioMax: layers === 64 ? 2.2 : 3, ...peakOf(layers) },
    },
  })),
  // More layers than any image that people build has.
  "many-layers": [{ ...firstPull("derived", 258), baselines: { floor: { ratioMax: 3, ...PEAK } } }],
  "first-pull-far": [1, 8, 64, 128].map((layers) => ({
    ...firstPull("derived", layers),
    distance: FAR,
    // The serial baseline takes minutes from afar.
    baselines: {
      ...(layers === 64 ? { serial: { ratioMax: 0.3 } } : {}),
      floor: { ratioMax: 3, ...peakOf(layers) },
    },
    rounds: 3,
  })),
  // A single layer cannot be both a base and a layer on top. Stock tools cannot import encapsulated commits.
  "first-pull-encapsulated": [8, 64, 128].map((layers) => firstPull("encapsulated", layers)),
  "first-pull-encapsulated-far": [8, 64, 128].map((layers) => ({
    ...firstPull("encapsulated", layers),
    distance: FAR,
    rounds: 3,
  })),
  update: [UPDATE],
  "update-far": [{ ...UPDATE, distance: FAR }],
};

/** The cases of the page of figures, in its order. */
export const TARGETS: readonly string[] = [
  ...Object.keys(NEARBY),
  ...["labelled-derived-far", "update-derived-far", "unchanged-far"],
];

export const PULLS: Readonly<Record<string, Bench>> = Object.fromEntries(
  Object.entries<readonly PullCase[]>({ ...NEARBY, ...AFAR, ...GENERATED }).map(([name, cases]) => [
    name,
    benchPulls(name, cases),
  ]),
);

function fromAfar(near: PullCase, baselines: PullCase["baselines"]): PullCase {
  const { againstOther: _nearby, ...rest } = near;
  return { ...rest, distance: FAR, baselines, rounds: 3 };
}

function firstPull(kind: ImageKind, layers: number): PullCase {
  return {
    title: `First pull, ${layers} ${kind} layers, 1 GB, 30,000 files`,
    image: { kind, layers, ...GIGABYTE },
    distance: NEAR,
    baselines: { floor: { ratioMax: 3, ...peakOf(layers) } },
    rounds: 5,
  };
}
