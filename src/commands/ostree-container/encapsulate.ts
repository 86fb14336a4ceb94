// `ostree container encapsulate`: make a container image of a commit.
import { readFile } from "node:fs/promises";
import { type AccessFlags, accessOf } from "../../cli/options.ts";
import { BootcError, doing } from "../../errors.ts";
import { type ContentMeta, parseContentMeta } from "../../export/content-meta.ts";
import { encapsulateCommit } from "../../export/encapsulate.ts";
import { pushMade } from "../../export/push.ts";
import { type JsonObject, parseJsonObject, requireStrings } from "../../format/json.ts";
import { parseImageReference } from "../../image/reference.ts";
import { resolveRevision } from "../../programs/ostree/repo.ts";
import { requireRepository } from "../../repository/files.ts";
import type { Context } from "../../system/context.ts";

export interface EncapsulateOptions extends AccessFlags {
  readonly repo: string;
  readonly rev: string;
  readonly target: string;
  readonly label: readonly string[];
  readonly config?: string;
  readonly copymeta: readonly string[];
  readonly copymetaOpt: readonly string[];
  readonly cmd?: readonly string[];
  readonly compressionFast?: boolean;
  readonly contentmeta?: string;
}

export async function encapsulate(ctx: Context, options: EncapsulateOptions): Promise<void> {
  const { repo } = options;
  const target = parseImageReference(options.target);
  const labels = parseLabelWords(options.label);
  await requireRepository(repo);
  const contentMeta = await readContentMeta(options.contentmeta);
  const containerConfig = await readContainerConfig(options.config);
  const commit = await resolveRevision(ctx, repo, options.rev);
  const request = {
    ...{ repo, commit, labels, contentMeta, containerConfig, cmd: options.cmd },
    ...{ copyMeta: options.copymeta, copyMetaOpt: options.copymetaOpt },
  };
  const isFast = options.compressionFast === true;
  const push = { target, access: accessOf(options), isFast };
  const digest = await pushMade(ctx, push, (layout) => encapsulateCommit(layout, request));
  ctx.say(digest);
}

export function parseLabelWords(texts: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    texts.map((text) => {
      const equals = text.indexOf("=");
      if (equals > 0) return [text.slice(0, equals), text.slice(equals + 1)];
      throw new BootcError(`\`${text}\` is not a label`, {
        kind: "usage",
        hint: "write it as KEY=VALUE",
      });
    }),
  );
}

async function readContentMeta(path: string | undefined): Promise<ContentMeta | undefined> {
  if (path === undefined) return undefined;
  return parseContentMeta(path, await readNamed(path));
}

async function readContainerConfig(path: string | undefined): Promise<JsonObject> {
  if (path === undefined) return {};
  const what = `\`${path}\``;
  const document = parseJsonObject(what, await readNamed(path));
  requireStrings(document.Labels, what, "Labels");
  return document;
}

async function readNamed(path: string): Promise<string> {
  return await doing(`reading \`${path}\``, () => readFile(path, "utf8"));
}
