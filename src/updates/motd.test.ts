import { expect, test } from "vitest";
import { formatMotd } from "./motd.ts";
import type { UpdatesStatus } from "./status.ts";

const QUIET: UpdatesStatus = {
  apiVersion: "bootc.updates/v1",
  enabled: true,
  strategy: "immediate",
  step: null,
  blocked: null,
  window: null,
  paused: null,
  held: [],
  booted: "sha256:a",
  staged: null,
  found: null,
  lastCheck: null,
  lastFailure: null,
  health: null,
  mistakes: [],
};
const READY: UpdatesStatus = {
  ...QUIET,
  step: "reboot",
  staged: { digest: "sha256:b", applied: true },
};

test.each([
  ["nothing is going on", QUIET, undefined],
  ["a downloaded image waits", { ...READY, staged: { digest: "b", applied: false } }, undefined],
  ["the next reboot applies an update", READY, /^An update is ready.*: sha256:b\n$/],
  [
    "a rule is in the way of the reboot",
    {
      ...READY,
      blocked: { rule: "window", reason: "no window is open", until: "2026-06-07T12:00:00Z" },
    },
    /by itself now: no window is open \(until 2026-06-07T12:00:00Z\)\n$/,
  ],
  [
    "updates are paused",
    { ...QUIET, paused: { reason: "a holiday", until: null } },
    /^Automatic updates are paused: a holiday\n$/,
  ],
  [
    "a run failed",
    { ...QUIET, lastFailure: { at: "2026", kind: "network", message: "no answer" } },
    /failed at 2026: no answer\n$/,
  ],
  ["the settings have mistakes", { ...QUIET, mistakes: ["a:1:1: no"] }, /by mistakes in their/],
] as const)("the message of the day when %s", (_, status, want) => {
  const text = formatMotd(status);
  if (want === undefined) expect(text).toBeUndefined();
  else expect(text).toMatch(want);
});
