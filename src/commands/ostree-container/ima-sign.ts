// `ostree-ext ima-sign`: make a commit again, with IMA signatures at all its files.
import { readFile } from "node:fs/promises";
import { signCommit } from "../../amend/signed-commit.ts";
import type { ImaSigning } from "../../amend/signed-objects.ts";
import { type LockFlags, lockTimeoutOf } from "../../cli/options.ts";
import { BootcError } from "../../errors.ts";
import { requireRefName } from "../../ostree/ref-names.ts";
import { requireEvmctl } from "../../programs/evmctl.ts";
import { resolveRevision } from "../../programs/ostree/repo.ts";
import { requireRepository } from "../../repository/files.ts";
import { withRepositoryLock } from "../../repository/lock.ts";
import type { Context } from "../../system/context.ts";

export interface ImaSignOptions extends LockFlags {
  readonly repo: string;
  readonly source: string;
  readonly target: string;
  readonly algorithm: string;
  readonly key: string;
  readonly overwrite?: boolean;
}

export async function imaSign(ctx: Context, options: ImaSignOptions): Promise<void> {
  const { repo, target: ref, algorithm, key } = options;
  requireRefName(ref);
  await requireRepository(repo);
  requireEvmctl(ctx);
  await requireKey(key);
  const signing: ImaSigning = { key, algorithm, overwrites: options.overwrite === true };
  const checksum = await withRepositoryLock(ctx, repo, {
    options: { purpose: "signing a commit", timeoutMs: lockTimeoutOf(options) },
    work: async () => {
      const commit = await resolveRevision(ctx, repo, options.source);
      return await signCommit(ctx, { repo, commit, ref, signing });
    },
  });
  ctx.say(`${ref} => ${checksum}`);
}

async function requireKey(path: string): Promise<void> {
  try {
    await readFile(path);
  } catch (cause) {
    throw new BootcError(`the key \`${path}\` cannot be read`, { kind: "usage", cause });
  }
}
