// Gives an image in a registry the annotations of a rollout, without fetching or sending its layers.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BootcError } from "../../errors.ts";
import { hexOf } from "../../image/digest.ts";
import { type IndexEntry, parseImageManifest, parseManifest } from "../../image/manifest.ts";
import type { ImageReference } from "../../image/reference.ts";
import { formatRegistryName, requireRegistryName } from "../../image/registry-name.ts";
import { deliverDirectory } from "../../programs/skopeo/deliver.ts";
import {
  inspectConfig,
  inspectManifest,
  type RegistryAccess,
  type SkopeoSource,
} from "../../programs/skopeo/skopeo.ts";
import type { Context } from "../../system/context.ts";
import { annotateManifest, manifestDigestOf, replaceInIndex } from "../annotate.ts";

const LIMITS = { timeoutMs: 60_000 };

export interface AnnotateRequest {
  /** `REGISTRY/REPOSITORY:TAG`. */
  readonly name: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly access: RegistryAccess;
}

export interface Annotated {
  readonly before: string;
  readonly after: string;
}

/** Moves the tag to a manifest, or an index of manifests, with these annotations. */
export async function annotateImage(ctx: Context, request: AnnotateRequest): Promise<Annotated> {
  const source = sourceOf(request, undefined);
  const text = await inspectManifest(ctx, source, LIMITS);
  const dir = await mkdtemp(join(tmpdir(), "bootc-annotate-"));
  try {
    const parsed = parseManifest(text);
    const changed =
      parsed.kind === "image"
        ? await writeManifest(ctx, request, { dir, text, file: "manifest.json" })
        : await writeIndex(ctx, request, { dir, text, entries: parsed.index.manifests });
    const digests = { before: manifestDigestOf(text), after: manifestDigestOf(changed) };
    if (digests.after === digests.before) return digests;
    const { image: target } = source;
    const after = await deliverDirectory(ctx, { dir, target, access: request.access });
    if (after !== digests.after) {
      throw new BootcError(`the registry has \`${after}\` instead of \`${digests.after}\``, {
        kind: "integrity",
      });
    }
    return digests;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

interface Piece {
  readonly dir: string;
  readonly text: string;
}

async function writeIndex(
  ctx: Context,
  request: AnnotateRequest,
  { dir, text, entries }: Piece & { readonly entries: readonly IndexEntry[] },
): Promise<string> {
  const replaced = new Map<string, string>();
  for (const { digest, platform } of entries) {
    const entry = await inspectManifest(ctx, sourceOf(request, digest), LIMITS);
    // Builders list attestations as manifests for an unknown platform.
    const isImage = platform?.os !== "unknown";
    const changed = isImage ? annotateManifest(entry, request.annotations) : entry;
    const file = `${hexOf(manifestDigestOf(changed))}.manifest.json`;
    await writePiece(ctx, request, { dir, text: changed, file, digest });
    replaced.set(digest, changed);
  }
  const index = replaceInIndex(text, replaced);
  await writeFile(join(dir, "manifest.json"), index);
  return index;
}

async function writeManifest(
  ctx: Context,
  request: AnnotateRequest,
  { dir, text, file }: Piece & { readonly file: string },
): Promise<string> {
  const changed = annotateManifest(text, request.annotations);
  await writePiece(ctx, request, { dir, text: changed, file, digest: manifestDigestOf(text) });
  return changed;
}

/** Writes a manifest and its configuration. The layers are in the registry, so skopeo does not look here. */
async function writePiece(
  ctx: Context,
  request: AnnotateRequest,
  { dir, text, file, digest }: Piece & { readonly file: string; readonly digest: string },
): Promise<void> {
  await writeFile(join(dir, file), text);
  const config = await inspectConfig(ctx, sourceOf(request, digest), LIMITS);
  const wanted = parseImageManifest(text).config.digest;
  if (manifestDigestOf(config) !== wanted) {
    throw new BootcError(`the registry serves another configuration than \`${wanted}\``, {
      kind: "integrity",
    });
  }
  await writeFile(join(dir, hexOf(wanted)), config);
}

function sourceOf({ name, access }: AnnotateRequest, digest: string | undefined): SkopeoSource {
  const parsed = requireRegistryName(name);
  if (parsed.digest !== undefined) {
    throw new BootcError(`\`${name}\` names a digest, and annotations make another one`, {
      kind: "usage",
      hint: "name the tag that hosts follow, which is moved",
    });
  }
  const pinned =
    digest === undefined ? name : formatRegistryName({ ...parsed, tag: undefined, digest });
  const image: ImageReference = { transport: "registry", name: pinned };
  return { image, access, policyFile: "" };
}
