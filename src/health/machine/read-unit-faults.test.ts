import { expect, test } from "vitest";
import { type ScriptLine, scriptedContext } from "../../testing/scripted-context.ts";
import { DEFAULT_SETTINGS } from "../../updates/config/settings.ts";
import { readUnitFaults } from "./read-unit-faults.ts";

const SHOW =
  "? systemctl show --property=Id,LoadState,ActiveState,Result,Type,Job,ExecMainExitTimestampMonotonic -- default.target";
const JOBS = "? systemctl list-jobs --plain --no-legend --no-pager";
const FAILED = "? systemctl list-units --state=failed --all --plain --no-legend --no-pager";
const WAITING = "Id=multi-user.target\nLoadState=loaded\nActiveState=inactive\nJob=2\n";

async function faultsAfter(script: readonly ScriptLine[], seconds: number) {
  const { ctx, requireAllUsed } = scriptedContext("/nowhere", script);
  let nowMs = 0;
  const surroundings = {
    now: () => nowMs,
    pause: async (ms: number) => {
      nowMs += ms;
    },
  };
  const check = { settings: DEFAULT_SETTINGS, surroundings, endMs: seconds * 1000 };
  const faults = await readUnitFaults(ctx, check, []);
  requireAllUsed();
  return faults;
}

test("a target that waits for units that wait for the verdict is reached", async () => {
  const jobs =
    "1 multi-user.target start waiting\n2 zincati.service start waiting\n" +
    "3 boot-complete.target start waiting\n4 bootc-health.service start running\n";
  const once: readonly ScriptLine[] = [
    [SHOW, WAITING],
    [JOBS, jobs],
  ];
  expect(await faultsAfter([...once, ...once, [FAILED, ""]], 600)).toEqual([]);
});

test("a target that waits for a unit that starts is not", async () => {
  const jobs = "1 multi-user.target start waiting\n2 shop.service start running\n";
  const once: readonly ScriptLine[] = [
    [SHOW, WAITING],
    [JOBS, jobs],
  ];
  const script: readonly ScriptLine[] = [...once, ...once, [FAILED, ""], [JOBS, jobs]];
  expect(await faultsAfter(script, 4)).toEqual([
    {
      reason: "`multi-user.target` was not reached in time",
      details: ["1 multi-user.target start waiting", "2 shop.service start running"],
    },
  ]);
});
