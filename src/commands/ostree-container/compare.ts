// `ostree container compare`: how many layers of one image another one has.
import { type AccessFlags, accessOf } from "../../cli/options.ts";
import { describeManifestDifference } from "../../host/manifest-difference.ts";
import { parseOstreeReference } from "../../image/reference.ts";
import { inspectReference } from "../../pull/plan/inspect.ts";
import type { Context } from "../../system/context.ts";

export interface CompareOptions extends AccessFlags {
  readonly from: string;
  readonly to: string;
}

export async function compareImages(ctx: Context, options: CompareOptions): Promise<void> {
  const [from, to] = [options.from, options.to].map(parseOstreeReference);
  if (from === undefined || to === undefined) throw new Error("unreachable: two references");
  const access = accessOf(options);
  const [before, after] = await Promise.all(
    [from, to].map(async (it) => {
      const { manifest } = await inspectReference(ctx, it, access);
      return manifest.layers.map(({ digest, size }) => ({ digest, sizeBytes: size }));
    }),
  );
  for (const line of describeManifestDifference(before ?? [], after ?? [])) ctx.say(line);
}
