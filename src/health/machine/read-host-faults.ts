// A system that bootc cannot read cannot be updated any more.
import { readHost } from "../../deploy/read-host.ts";
import { explainError } from "../../errors.ts";
import type { Context } from "../../system/context.ts";
import type { Fault } from "../faults.ts";

export async function readHostFaults(ctx: Context): Promise<readonly Fault[]> {
  try {
    const { status } = await readHost(ctx);
    return status.booted === null ? [{ reason: "bootc does not find the system that runs" }] : [];
  } catch (error) {
    return [{ reason: `bootc cannot read this host: ${explainError(error)}` }];
  }
}
