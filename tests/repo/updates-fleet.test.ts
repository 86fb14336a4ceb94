import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { runFleet } from "../fleet/fleet.ts";

const absent = ["ip", "etcd"].find((it) => spawnSync(it, ["--version"]).error !== undefined);
const missing = process.getuid?.() === 0 ? absent && `needs ${absent}` : "needs root";

/** `BOOTC_FLEET_STEPS=10000` takes some minutes. */
const steps = Number(process.env.BOOTC_FLEET_STEPS ?? 200);

describe.skipIf(missing)(`a fleet and a slot in etcd${missing ? ` (${missing})` : ""}`, () => {
  test("two of twenty machines are never down at once, though the one that is gets killed", async () => {
    const outcome = await runFleet({ machines: 20, steps, stepsBetweenKills: 20 });
    expect(outcome.failures).toEqual([]);
    expect(outcome.steps).toBeGreaterThanOrEqual(steps);
    expect(outcome.refused).toBeGreaterThan(steps);
    expect(outcome.kills).toBeGreaterThan(steps / 80);
    if (process.env.BOOTC_FLEET_STEPS !== undefined) console.log(outcome);
  }, 1_800_000);
});
