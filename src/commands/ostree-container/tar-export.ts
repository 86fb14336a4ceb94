// `ostree-ext tar export`: a commit with all its objects as one tar, on standard output.
import { BootcError } from "../../errors.ts";
import { tarOfCommit } from "../../export/tar-stream.ts";
import { resolveRevision } from "../../programs/ostree/repo.ts";
import { requireRepository } from "../../repository/files.ts";
import { writeBytes } from "../../system/binary-answer.ts";
import type { Context } from "../../system/context.ts";

export interface TarExportOptions {
  readonly repo: string;
  readonly rev: string;
}

export async function tarExport(ctx: Context, { repo, rev }: TarExportOptions): Promise<void> {
  await requireRepository(repo);
  const commit = await resolveRevision(ctx, repo, rev);
  if (ctx.terminal.isStdoutTerminal) {
    throw new BootcError("a tar would disturb the terminal", {
      kind: "usage",
      hint: "redirect standard output to a file",
    });
  }
  await writeBytes(ctx, await tarOfCommit(repo, commit));
}
