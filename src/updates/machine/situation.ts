// Reads everything that decisions about updates need. Nothing that is odd on the machine is an error here.
import { readHost } from "../../deploy/read-host.ts";
import { explainError } from "../../errors.ts";
import type { HostDocument, ImageStatus } from "../../host/document.ts";
import type { Context } from "../../system/context.ts";
import type { HostStand, Situation } from "../decide.ts";
import { readTimeZone, readUpdatesConfig } from "./read-config.ts";
import { readUpdatesState } from "./state-file.ts";
import { readMachineId } from "./surroundings.ts";

export async function readSituation(ctx: Context, nowMs: number): Promise<Situation> {
  const [{ settings, mistakes }, { state }, host, machineId, localZone] = await Promise.all([
    readUpdatesConfig(ctx),
    readUpdatesState(ctx, nowMs),
    readStand(ctx),
    readMachineId(ctx),
    readTimeZone(ctx),
  ]);
  return { nowMs, settings, mistakes, state, host, machineId, localZone };
}

async function readStand(ctx: Context): Promise<HostStand> {
  try {
    return standOf(await readHost(ctx));
  } catch (error) {
    const problem = `the host cannot be read: ${explainError(error)}`;
    return { booted: undefined, staged: undefined, problem };
  }
}

/** What matters of the host document. */
export function standOf({ spec, status }: HostDocument): HostStand {
  const { booted, staged } = status;
  const stand = {
    booted: booted?.image ? { ...imageOf(booted.image), ...builtAt(booted.image) } : undefined,
    staged: staged?.image ? { ...imageOf(staged.image), isLocked: staged.downloadOnly } : undefined,
  };
  if (status.type === null || booted === null) {
    return { ...stand, problem: "this system was not booted via bootc" };
  }
  if (spec.image === null) return { ...stand, problem: "this host does not follow an image" };
  return stand;
}

/** Builds without a clock of their own say 1970. */
function builtAt({ timestamp }: ImageStatus) {
  const builtMs = Date.parse(timestamp ?? "");
  return builtMs > 0 ? { builtMs } : {};
}

function imageOf({ imageDigest, version }: ImageStatus) {
  return { digest: imageDigest, ...(version === null ? {} : { version }) };
}
