import { expect, test } from "vitest";
import { decideWritable } from "./batches.ts";

const BARE = "[core]\nrepo_version=1\nmode=bare\n";

test.each([
  [BARE, 0, true],
  [BARE, 1000, false],
  [BARE, undefined, false],
  ["", 0, false],
  ["[core]\nmode=bare-user\n", 0, false],
  ["[core]\nmode=archive-z2\n", 0, false],
  [`${BARE}per-object-fsync=true\n`, 0, false],
  [`${BARE}per-object-fsync=false\n`, 0, true],
  [`${BARE}fsync=false\n`, 0, true],
  [`${BARE}[ex-integrity]\nfsverity=no\ncomposefs=false\n`, 0, true],
  [`${BARE}[ex-integrity]\nfsverity=maybe\n`, 0, false],
  [`${BARE}[ex-integrity]\nfsverity=yes\n`, 0, false],
  [`${BARE}[ex-integrity]\ncomposefs=true\n`, 0, false],
])(
  "with the configuration %j and user id %s objects are written by us: %s",
  (config, uid, want) => {
    expect(decideWritable(config, uid)).toBe(want);
  },
);
