// `bootc updates annotate`: writes the rollout of an image into its manifest in a registry.
import { type AccessFlags, accessOf } from "../../cli/options.ts";
import { BootcError } from "../../errors.ts";
import type { Context } from "../../system/context.ts";
import { type RolloutWish, requireRolloutAnnotations } from "../../updates/annotate.ts";
import { annotateImage } from "../../updates/machine/annotate-image.ts";

export interface AnnotateOptions extends AccessFlags, RolloutWish {
  readonly clear?: boolean;
}

export async function updatesAnnotate(
  ctx: Context,
  name: string,
  options: AnnotateOptions,
): Promise<void> {
  const annotations = requireRolloutAnnotations(options);
  const isEmpty = Object.keys(annotations).length === 0;
  if (isEmpty !== (options.clear === true)) {
    throw new BootcError(
      isEmpty ? "no annotation is given" : "`--clear` does not go with other annotations",
      { kind: "usage", hint: "give the whole rollout, or `--clear` to let all hosts update" },
    );
  }
  const access = accessOf(options);
  const { before, after } = await annotateImage(ctx, { name, annotations, access });
  if (after === before) return ctx.say(`\`${name}\` has these annotations already: ${after}`);
  ctx.say(`\`${name}\` was ${before}\n  and is ${after} now.`);
  ctx.note("note: signatures of the old digest do not count for the new one; sign it now");
}
