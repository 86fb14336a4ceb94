// `ostree-ext tar import`: the commit in a tar that `tar export` made, from a file or standard input.
import { createReadStream } from "node:fs";
import { withTarAsImage } from "../../export/tar-stream.ts";
import { pullBase } from "../../pull/base.ts";
import { requireRepository } from "../../repository/files.ts";
import type { Context } from "../../system/context.ts";
import { withPlannedPull } from "./planned-pull.ts";

export interface TarImportOptions {
  readonly repo: string;
  readonly file?: string;
}

export async function tarImport(ctx: Context, { repo, file }: TarImportOptions): Promise<void> {
  await requireRepository(repo);
  const source = createReadStream(file ?? "", file === undefined ? { fd: 0 } : {});
  const commit = await withTarAsImage(ctx, source, async (image) => {
    const reference = { image, verification: { kind: "none" } } as const;
    const request = { repo, reference, requiresBootable: false, isQuiet: true };
    return await withPlannedPull(ctx, request, async ({ plan, display }) =>
      pullBase(ctx, plan, { ref: undefined, onEvent: display.onEvent }),
    );
  });
  ctx.say(`Imported: ${commit}`);
}
