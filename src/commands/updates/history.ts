// `bootc updates history`: what automatic updates have done on this host.
import { formatCanonicalJson } from "../../format/canonical-json.ts";
import type { Context } from "../../system/context.ts";
import { readUpdatesState } from "../../updates/machine/state-file.ts";
import { REAL_SURROUNDINGS } from "../../updates/machine/surroundings.ts";
import { formatMoment } from "../../updates/status.ts";

export interface HistoryOptions {
  readonly json?: boolean;
}

export async function updatesHistory(ctx: Context, { json }: HistoryOptions): Promise<void> {
  const { state, damage } = await readUpdatesState(ctx, REAL_SURROUNDINGS.now());
  if (damage !== undefined) ctx.note(`warning: ${damage}`);
  const entries = state.history.map(({ atMs, event, text }) => ({
    at: formatMoment(atMs),
    event,
    text,
  }));
  if (json === true) {
    ctx.write(`${formatCanonicalJson(entries)}\n`);
    return;
  }
  for (const { at, event, text } of entries) ctx.say(`${at} ${event} ${text}`);
}
