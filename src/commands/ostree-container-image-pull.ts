// `ostree container image pull`: an image becomes a commit in any repository, without a booted host.
import { writeFile } from "node:fs/promises";
import { formatCanonicalJson } from "../host/canonical-json.ts";
import { formatOstreeReference, parseOstreeReference } from "../image/reference.ts";
import { describePlan, planPull } from "../pull/plan.ts";
import { pullImage } from "../pull/pull.ts";
import { type AccessWords, accessOf, limitsOfWords, type PullWords } from "../pull/request.ts";
import { showProgress } from "../pull/show-progress.ts";
import type { Context } from "../system/context.ts";
import { makeRepositoryWritable } from "../system/writable-sysroot.ts";

export interface ImagePullOptions extends AccessWords, PullWords {
  readonly repo: string;
  readonly imgref: string;
  readonly ostreeDigestfile?: string;
  readonly check?: string;
  readonly quiet?: boolean;
}

export async function imagePull(ctx: Context, options: ImagePullOptions): Promise<void> {
  const reference = parseOstreeReference(options.imgref);
  const name = formatOstreeReference(reference);
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
    if (plan.isUnchanged) {
      const { commit } = await pullImage(ctx, plan);
      ctx.say(`No changes in ${name} => ${commit}`);
      await writeDigest(options, commit);
      return;
    }
    if (options.check !== undefined) {
      await writeFile(options.check, formatCanonicalJson(plan.manifest));
      return;
    }
    const summary = describePlan(plan);
    if (summary !== undefined) ctx.say(summary);
    const { commit } = await pullImage(ctx, plan);
    display.end();
    ctx.say(`Wrote: ${name} => ${commit}`);
    await writeDigest(options, commit);
  } finally {
    display.end();
  }
}

async function writeDigest({ ostreeDigestfile }: ImagePullOptions, commit: string): Promise<void> {
  if (ostreeDigestfile !== undefined) await writeFile(ostreeDigestfile, commit);
}
