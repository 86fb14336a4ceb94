// Finds out what is wrong with the system that runs, within a time limit.
import { describeError } from "../../errors.ts";
import {
  GREENBOOT_UNIT,
  listHealthScripts,
  runHealthScript,
  type ScriptKind,
} from "../../programs/health-script.ts";
import { readUnitJournal } from "../../programs/units.ts";
import type { Context } from "../../system/context.ts";
import type { Fault } from "../faults.ts";
import { readHostFaults } from "./read-host-faults.ts";
import { type HealthCheck, readUnitFaults } from "./read-unit-faults.ts";

export interface Findings {
  /** Not empty if the system is not healthy. */
  readonly faults: readonly Fault[];
  /** What is wrong but does not count. */
  readonly remarks: readonly Fault[];
}

export async function checkHealth(ctx: Context, check: HealthCheck): Promise<Findings> {
  const host = await readHostFaults(ctx);
  const units = await readUnitFaults(ctx, check, [GREENBOOT_UNIT]);
  const required = await runScripts(ctx, check, "required");
  const remarks = await runScripts(ctx, check, "wanted");
  const faults = [...host, ...(await withJournals(ctx, units)), ...required];
  return { faults, remarks };
}

/** One after the other, as their names say; the limit is that of all together. */
async function runScripts(
  ctx: Context,
  { surroundings, endMs }: HealthCheck,
  kind: ScriptKind,
): Promise<readonly Fault[]> {
  const faults: Fault[] = [];
  for (const path of await listHealthScripts(ctx, kind)) {
    const timeoutMs = Math.max(endMs - surroundings.now(), LEAST_MS);
    const failure = await runHealthScript(ctx, path, timeoutMs);
    if (failure !== undefined) faults.push(failure);
  }
  return faults;
}

/** When others have used up the time, every check still gets this much. */
const LEAST_MS = 1000;

async function withJournals(ctx: Context, faults: readonly Fault[]): Promise<readonly Fault[]> {
  return await Promise.all(
    faults.map(async (fault) => {
      if (fault.unit === undefined) return fault;
      const details = await readUnitJournal(ctx, fault.unit).catch((error: unknown) => [
        `no journal: ${describeError(error).message}`,
      ]);
      return { ...fault, details: [...(fault.details ?? []), ...details] };
    }),
  );
}
