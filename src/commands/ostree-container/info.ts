// `ostree container info`: print the current manifest digest of an image reference.
import { type AccessFlags, accessOf } from "../../cli/options.ts";
import { formatOstreeReference, parseOstreeReference } from "../../image/reference.ts";
import { inspectReference } from "../../pull/plan/inspect.ts";
import type { Context } from "../../system/context.ts";

export interface InfoOptions extends AccessFlags {
  readonly imgref: string;
}

export async function info(ctx: Context, options: InfoOptions): Promise<void> {
  const reference = parseOstreeReference(options.imgref);
  const { manifestDigest } = await inspectReference(ctx, reference, accessOf(options));
  ctx.say(`${formatOstreeReference(reference)} digest: ${manifestDigest}`);
}
