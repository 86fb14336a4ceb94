// `--json` of the verbs that change the host: silence, then where the host stands, or one error object.
import { formatCanonicalJson } from "../format/canonical-json.ts";
import type { Context } from "../system/context.ts";
import { readHost } from "./read-host.ts";

interface AnswerOptions {
  readonly json?: boolean;
}

/** With `--json` nothing is said on the way: both streams are for programs then. */
export function quietFor(ctx: Context, { json }: AnswerOptions): Context {
  if (json !== true) return ctx;
  return { ...ctx, say: () => undefined, note: () => undefined };
}

/** With `--json` the answer is the host document as `bootc status --json` prints it. */
export async function answerInJson(ctx: Context, { json }: AnswerOptions): Promise<void> {
  if (json === true) ctx.write(formatCanonicalJson(await readHost(ctx)));
}
