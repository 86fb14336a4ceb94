// A deployment for tests of decisions, which differ in what they say of it.
import type { Deployment } from "../host/deployment.ts";

/** One of the stateroot `default`, named by a digit of its checksum. */
export const deployment = (digit: string, more: Partial<Deployment> = {}): Deployment => ({
  stateroot: "default",
  checksum: digit.repeat(64),
  serial: 0,
  bootChecksum: undefined,
  isStaged: false,
  isBooted: false,
  isPinned: false,
  isSuperseded: false,
  isLocked: false,
  unlocked: "none",
  bootOptions: undefined,
  softRebootObstacle: "systemd is older than 254",
  origin: { image: undefined, refspec: undefined, isIncompatible: false },
  content: { digest: digit, version: null, timestamp: null, architecture: "", layers: [] },
  cachedUpdate: undefined,
  problems: [],
  ...more,
});
