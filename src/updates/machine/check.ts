// Asks the registry for an update and remembers what it said.
import { requireBooted } from "../../deploy/deploy-image.ts";
import { findUpdate } from "../../deploy/find-update.ts";
import { explainError, kindOf } from "../../errors.ts";
import { assembleHost } from "../../host/assemble-host.ts";
import { requireUpgradeTarget } from "../../host/upgrade.ts";
import { versionOf } from "../../image/config.ts";
import { readSysroot } from "../../sysroot/sysroot.ts";
import type { Context } from "../../system/context.ts";
import { ROLLOUT_PREFIX } from "../rollout.ts";
import {
  type FoundImage,
  type UpdatesState,
  withCheck,
  withEvent,
  withFailedCheck,
  withFailure,
} from "../state.ts";
import { changeState } from "./change-state.ts";

/** A failure is remembered, and thrown again. */
export async function checkForUpdate(ctx: Context, nowMs: number): Promise<void> {
  try {
    const found = await askRegistry(ctx);
    await changeState(ctx, nowMs, (state) => {
      const checked = withCheck(state, { found, nowMs });
      if (found === undefined || found.digest === state.found?.digest) return checked;
      return withEvent(checked, { atMs: nowMs, event: "found", text: describeFound(found) });
    });
  } catch (error) {
    await rememberFailure(ctx, { nowMs, error, count: withFailedCheck });
    throw error;
  }
}

interface RememberedFailure {
  readonly nowMs: number;
  readonly error: unknown;
  /** Counts what has failed. */
  readonly count?: (state: UpdatesState) => UpdatesState;
}

export async function rememberFailure(
  ctx: Context,
  { nowMs, error, count = (state) => state }: RememberedFailure,
): Promise<void> {
  // Whoever interrupts a run knows that it did not finish.
  if (ctx.signal.aborted) return;
  const failure = { atMs: nowMs, kind: kindOf(error), message: explainError(error) };
  await changeState(ctx, nowMs, (state) => withFailure(count(state), failure));
}

export function describeFound({ digest, version }: Pick<FoundImage, "digest" | "version">): string {
  return version === undefined ? digest : `${version} ${digest}`;
}

async function askRegistry(ctx: Context): Promise<FoundImage | undefined> {
  const sysroot = await readSysroot(ctx);
  const host = assembleHost(sysroot);
  const reference = requireUpgradeTarget(host, undefined);
  const settings = { isQuiet: true, lockTimeoutMs: undefined, limits: {} };
  const request = { reference, booted: requireBooted(sysroot), settings };
  const { image } = await findUpdate(ctx, host, request);
  const { manifestDigest: digest, manifest, config } = image;
  if (digest === host.status.booted?.image?.imageDigest) return undefined;
  const version = versionOf(config);
  const annotations = Object.entries(manifest.annotations ?? {}).filter(([name]) =>
    name.startsWith(ROLLOUT_PREFIX),
  );
  return {
    digest,
    ...(version === undefined ? {} : { version }),
    annotations: Object.fromEntries(annotations),
  };
}
