import { expect, test } from "vitest";
import { decideSettings } from "./transaction.ts";

const BARE = "[core]\nrepo_version=1\nmode=bare\n";
const DEFAULT = { lockTimeoutMs: 30_000, isFlushed: true };

test.each([
  [BARE, DEFAULT],
  [`${BARE}fsync=true\nlocking=1\nmin-free-space-percent=3\n`, DEFAULT],
  [`${BARE}[remote "x"]\ngpg-verify=false\n[sysroot]\nreadonly=true\n`, DEFAULT],
  [`${BARE}fsync=false\n`, { lockTimeoutMs: 30_000, isFlushed: false }],
  [`${BARE}lock-timeout-secs=5\n`, { lockTimeoutMs: 5000, isFlushed: true }],
  [`${BARE}lock-timeout-secs=-1\n`, { lockTimeoutMs: Number.POSITIVE_INFINITY, isFlushed: true }],
  [`${BARE}lock-timeout-secs=soon\n`, undefined],
  [`${BARE}fsync=maybe\n`, undefined],
  [`${BARE}locking=false\n`, undefined],
  [`${BARE}per-object-fsync=true\n`, undefined],
  [`${BARE}tombstone-commits=true\n`, undefined],
  [`${BARE}auto-update-summary=true\n`, undefined],
  [`${BARE}parent=/other\n`, undefined],
  [`${BARE}constructor=x\n`, undefined],
])("with the configuration %j, transactions are ours, or ostree's: %j", (config, want) => {
  expect(decideSettings(config)).toEqual(want);
});
