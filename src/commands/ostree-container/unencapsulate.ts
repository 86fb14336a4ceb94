// `ostree container unencapsulate`: fetch the ostree commit from an image that contains nothing else.
import { type RepositoryPullFlags, repositoryPullOf } from "../../cli/options.ts";
import { BootcError } from "../../errors.ts";
import { formatOstreeReference, parseOstreeReference } from "../../image/reference.ts";
import { requireRefName } from "../../ostree/ref-names.ts";
import { pullBase } from "../../pull/base.ts";
import type { Context } from "../../system/context.ts";
import { withPlannedPull } from "./planned-pull.ts";

export interface UnencapsulateOptions extends RepositoryPullFlags {
  readonly repo: string;
  readonly imgref: string;
  readonly writeRef?: string;
}

export async function unencapsulate(ctx: Context, options: UnencapsulateOptions): Promise<void> {
  const { repo, writeRef } = options;
  const reference = parseOstreeReference(options.imgref);
  if (writeRef !== undefined) requireRefName(writeRef);
  const commit = await withPlannedPull(
    ctx,
    { repo, reference, requiresBootable: false, ...repositoryPullOf(options) },
    async ({ plan, display }) => {
      const derived = plan.layers.filter((it) => it.kind === "derived").length;
      if (derived > 0) {
        throw new BootcError(
          `${formatOstreeReference(reference)} has ${derived} layers that do not belong to an ostree commit`,
          { kind: "unsupported", hint: "use `ostree container image pull` instead" },
        );
      }
      return await pullBase(ctx, plan, { ref: writeRef, onEvent: display.onEvent });
    },
  );
  ctx.say(`Imported: ${writeRef === undefined ? "" : `${writeRef} => `}${commit}`);
}
