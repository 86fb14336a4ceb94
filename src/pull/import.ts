// The import stage: a layer blob becomes a commit in one pass; nothing is visible before it is verified.
import type { Readable } from "node:stream";
import { BootcError } from "../errors.ts";
import type { Context } from "../system/context.ts";
import type { LayerFilter } from "./import-path.ts";

/**
 * What a layer holds: a file system difference (`derived`), content objects of an encapsulated ostree
 * commit (`chunk`), or that commit with its metadata objects (`commit`).
 */
export type LayerKind = "derived" | "chunk" | "commit";

export interface LayerImport {
  /** The repository's directory, as given to `ostree --repo`. */
  readonly repo: string;
  readonly kind: LayerKind;
  /** Names the layer's refs: the digest of its descriptor in the image's manifest. */
  readonly layerDigest: string;
  /** The complete blob: a file, or a stream. Any of gzip, zstd, plain tar, whatever its media type says. */
  readonly blob: string | Readable;
  /**
   * What the blob's bytes must be. The manifest's descriptor, except for blobs out of containers-storage,
   * which are stored uncompressed under their diff-id.
   */
  readonly digest: string;
  /** Compared when given. */
  readonly sizeBytes?: number | undefined;
  /** The digest of the uncompressed layer in the image's config; compared when given. */
  readonly diffId?: string | undefined;
  /** For `derived`: see `readDerivedSettings`. */
  readonly filter?: LayerFilter | undefined;
  /** For `derived`: a directory with `usr/etc/selinux`, by which entries are labelled. */
  readonly selinuxPolicyDir?: string | undefined;
  /** For `derived`: the value of `ostree.importer.version`. */
  readonly importerVersion: string;
  /** For `commit`: what the image's `ostree.commit` label promises; compared when given. */
  readonly baseCommit?: string | undefined;
  /** Called with the number of compressed bytes taken in so far. */
  readonly onProgress?: ((bytes: number) => void) | undefined;
}

export interface ImportedLayer {
  /** The layer's commit; for kind `commit`, the base commit itself. */
  readonly commit: string;
  /** `sha256:…` of the uncompressed tar. */
  readonly diffId: string;
  /** Paths left out because they have no place in an ostree commit, counted by what upstream reports. */
  readonly filtered: ReadonlyMap<string, number>;
  /** Device nodes, fifos and sockets left out. */
  readonly specialFiles: number;
}

/**
 * Imports one layer and leaves it durable under its private pending ref (`pendingRef(layerDigest)`):
 * when this returns, the blob may be removed. A layer of kind `commit` comes after all chunk layers of its
 * image, derived layers in any order after the settings are known (`readDerivedSettings`).
 *
 * Whatever goes wrong with the blob is a `BootcError` of kind `integrity`, and no ref exists then.
 */
export async function importLayer(_ctx: Context, request: LayerImport): Promise<ImportedLayer> {
  throw new BootcError(`layers of kind \`${request.kind}\` cannot be imported yet`);
}
