// `bootc updates metrics`: figures for Prometheus, printed or written for node_exporter.
import { formatMetrics } from "../../format/prometheus.ts";
import type { Context } from "../../system/context.ts";
import { replaceFile } from "../../system/files.ts";
import { judgeDueStep } from "../../updates/machine/judge.ts";
import { readFigures } from "../../updates/machine/read-figures.ts";
import { readSituation } from "../../updates/machine/situation.ts";
import { REAL_SURROUNDINGS, type Surroundings } from "../../updates/machine/surroundings.ts";
import { collectMetrics } from "../../updates/metrics.ts";
import { assembleStatus } from "../../updates/status.ts";
import { VERSION } from "../../version.ts";

export interface MetricsOptions {
  readonly textfile?: string;
}

export async function updatesMetrics(ctx: Context, options: MetricsOptions): Promise<void> {
  await showMetrics(ctx, REAL_SURROUNDINGS, options);
}

export async function showMetrics(
  ctx: Context,
  { now }: Pick<Surroundings, "now">,
  { textfile }: MetricsOptions,
): Promise<void> {
  const situation = await readSituation(ctx, now());
  // What the last run met counts: scraping must not start programs of the administrator.
  const { step, block } = await judgeDueStep(ctx, situation, { without: ["programs"] });
  const { state } = situation;
  const last = state.block?.step === step ? state.block : undefined;
  const status = assembleStatus(situation, block ?? last);
  const figures = await readFigures(ctx);
  const text = formatMetrics(collectMetrics({ situation, status, figures, version: VERSION }));
  if (textfile === undefined) ctx.write(text);
  else await replaceFile(textfile, text, { mode: 0o644 });
}
