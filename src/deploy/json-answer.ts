// `--json` of the verbs that change the host: silence, then the host document or one error object.
import { formatCanonicalJson } from "../format/canonical-json.ts";
import type { Context } from "../system/context.ts";
import { readHost } from "./read-host.ts";

interface AnswerOptions {
  readonly json?: boolean;
}

/** With `--json`, nothing is printed on the way: both streams are for programs. */
export function quietFor(ctx: Context, { json }: AnswerOptions): Context {
  if (json !== true) return ctx;
  return { ...ctx, say: () => undefined, note: () => undefined };
}

/** With `--json`, prints the host document as `bootc status --json` does. */
export async function answerInJson(ctx: Context, { json }: AnswerOptions): Promise<void> {
  if (json === true) ctx.write(formatCanonicalJson(await readHost(ctx)));
}
