// `ostree container unencapsulate`: the ostree commit out of an image that holds nothing else.
import { BootcError } from "../errors.ts";
import { formatOstreeReference, parseOstreeReference } from "../image/reference.ts";
import { planPull } from "../pull/plan.ts";
import { pullBase } from "../pull/pull.ts";
import { type AccessWords, accessOf, limitsOfWords, type PullWords } from "../pull/request.ts";
import { showProgress } from "../pull/show-progress.ts";
import type { Context } from "../system/context.ts";
import { makeRepositoryWritable } from "../system/writable-sysroot.ts";

export interface UnencapsulateOptions extends AccessWords, PullWords {
  readonly repo: string;
  readonly imgref: string;
  readonly writeRef?: string;
  readonly quiet?: boolean;
}

export async function unencapsulate(ctx: Context, options: UnencapsulateOptions): Promise<void> {
  const reference = parseOstreeReference(options.imgref);
  await makeRepositoryWritable(ctx, options.repo);
  const display = showProgress(ctx, { isQuiet: options.quiet === true });
  try {
    const plan = await planPull(ctx, {
      repo: options.repo,
      reference,
      access: accessOf(options),
      requiresBootable: false,
      ...limitsOfWords(options),
      onEvent: display.onEvent,
    });
    const derived = plan.layers.filter((it) => it.kind === "derived").length;
    if (derived > 0) {
      throw new BootcError(
        `${formatOstreeReference(reference)} has ${derived} layers that are no part of an ostree commit`,
        { kind: "unsupported", hint: "use `ostree container image pull` for it" },
      );
    }
    const commit = await pullBase(ctx, plan, { ref: options.writeRef });
    display.end();
    ctx.say(
      `Imported: ${options.writeRef === undefined ? "" : `${options.writeRef} => `}${commit}`,
    );
  } finally {
    display.end();
  }
}
