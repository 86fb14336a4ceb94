// What a merge commit says about its image, and the update that was seen beside it.
import { type Commit, formatDictionary, parseDictionary, textMetadata } from "../ostree/objects.ts";
import type { Context } from "../system/context.ts";
import { readCommit, readDetached, requireCommit } from "./files.ts";
import { addCommit, createScratch } from "./scratch.ts";

/** Under which keys a merge commit keeps what it knows of its image. */
export const IMAGE_KEYS = {
  manifestDigest: "ostree.manifest-digest",
  manifest: "ostree.manifest",
  config: "ostree.container.image-config",
  importerVersion: "ostree.importer.version",
  version: "version",
  /** Which SELinux policy has labelled the tree, by the contents of its files. Written by us alone. */
  labelledBy: "bootc.labelled-by",
} as const;

/** What a merge commit says about its image. */
export interface ImageMetadata {
  readonly commit: string;
  readonly manifestDigest: string;
  /** JSON text, as stored. */
  readonly manifest: string;
  /** JSON text, as stored; undefined where very old data has none. */
  readonly config: string | undefined;
  readonly importerVersion: string | undefined;
  readonly version: string | undefined;
  readonly createdEpoch: number;
  readonly parent: string | undefined;
  /** The update seen by the last `--check`, if any. */
  readonly cachedUpdate: CachedUpdate | undefined;
}

export interface CachedUpdate {
  readonly manifestDigest: string;
  readonly manifest: string;
  readonly config: string;
}

/** Reads a merge commit; undefined when there is no such commit, or it has no image metadata. */
export async function readImageCommit(
  repo: string,
  commit: string,
): Promise<ImageMetadata | undefined> {
  const object = await readCommit(repo, commit);
  if (object === undefined) return undefined;
  const value = (key: string) => textMetadata(object.metadata, key);
  const manifestDigest = value(IMAGE_KEYS.manifestDigest);
  const manifest = value(IMAGE_KEYS.manifest);
  if (manifestDigest === undefined || manifest === undefined) return undefined;
  const config = value(IMAGE_KEYS.config);
  return {
    commit,
    manifestDigest,
    manifest,
    config: config === "null" ? undefined : config,
    importerVersion: value(IMAGE_KEYS.importerVersion),
    version: value(IMAGE_KEYS.version),
    createdEpoch: object.timestampEpoch,
    parent: object.parent,
    cachedUpdate: cachedUpdateOf(await readDetachedEntries(repo, commit)),
  };
}

const CACHED_KEYS = {
  manifestDigest: "ostree-ext.cached.manifest-digest",
  manifest: "ostree-ext.cached.manifest",
  config: "ostree-ext.cached.config",
} as const;

async function readDetachedEntries(repo: string, commit: string): Promise<Commit["metadata"]> {
  const bytes = await readDetached(repo, commit);
  return bytes === undefined ? [] : parseDictionary(bytes);
}

/** All three or none. */
function cachedUpdateOf(entries: Commit["metadata"]): CachedUpdate | undefined {
  const manifestDigest = textMetadata(entries, CACHED_KEYS.manifestDigest);
  const manifest = textMetadata(entries, CACHED_KEYS.manifest);
  const config = textMetadata(entries, CACHED_KEYS.config);
  if (manifestDigest === undefined || manifest === undefined || config === undefined) {
    return undefined;
  }
  return { manifestDigest, manifest, config };
}

/** Remembers (or with undefined forgets) the update seen by `--check`, beside the merge commit. */
export async function writeCachedUpdate(
  ctx: Context,
  { repo, commit }: { readonly repo: string; readonly commit: string },
  update: CachedUpdate | undefined,
): Promise<void> {
  const entries = await readDetachedEntries(repo, commit);
  const ours = new Set<string>(Object.values(CACHED_KEYS));
  const others = entries.filter(([key]) => !ours.has(key));
  const cached = update === undefined ? [] : cachedEntries(update);
  if (cached.length === 0 && others.length === entries.length) return;
  const object = await requireCommit(repo, commit);
  const scratch = await createScratch(repo);
  try {
    addCommit(scratch, object);
    scratch.add(commit, "commitmeta", formatDictionary([...others, ...cached]));
    await scratch.pull(ctx, [commit]);
  } finally {
    scratch.remove();
  }
}

function cachedEntries(update: CachedUpdate): Commit["metadata"] {
  return (["manifestDigest", "manifest", "config"] as const).map((key) => [
    CACHED_KEYS[key],
    { type: "s", value: update[key] },
  ]);
}
