// The step that is due on this machine now, and whatever is in its way.
import type { Context } from "../../system/context.ts";
import { dueStep, judgeStep, type Situation } from "../decide.ts";
import type { GateName } from "../gates.ts";
import type { Block, UpdateStep } from "../state.ts";
import { readClosedGate } from "./read-gates.ts";

/** A day after a warning, nobody remembers it. */
const WARNING_LASTS_MS = 24 * 60 * 60_000;

export interface DueStep {
  /** Undefined when there is nothing to do. */
  readonly step: UpdateStep | undefined;
  readonly block: Block | undefined;
}

export async function judgeDueStep(
  ctx: Context,
  situation: Situation,
  { without = [] }: { readonly without?: readonly GateName[] } = {},
): Promise<DueStep> {
  const step = dueStep(situation);
  // What forbids even a check is worth saying when there is nothing to do, too.
  if (step === undefined) return { step, block: judgeStep(situation, "check") };
  const rule = judgeStep(situation, step);
  if (rule !== undefined) return { step, block: rule };
  const { settings, nowMs } = situation;
  const warnedMs = warnedMsOf(situation);
  const gate = await readClosedGate(ctx, { settings, step, nowMs, warnedMs, without });
  return { step, block: gate };
}

/** When people were warned of the reboot that is due. */
export function warnedMsOf({ state, host, nowMs }: Situation): number | undefined {
  const { warning } = state;
  const isOfThis = warning !== undefined && warning.digest === host.staged?.digest;
  return isOfThis && nowMs - warning.atMs < WARNING_LASTS_MS ? warning.atMs : undefined;
}
