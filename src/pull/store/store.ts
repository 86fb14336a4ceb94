// Who makes a layer's rewritten tar a commit: ostree, or ourselves. Nothing is trusted before it is accepted.
import type { Variant } from "../../ostree/gvariant.ts";
import { commitTar } from "../../programs/ostree/repo.ts";
import { acceptLayer, unverifiedRef } from "../../repository/pending.ts";
import type { Context } from "../../system/context.ts";
import type { LayerSlot } from "./batches.ts";
import { writeTarCommit } from "./own.ts";

export type Tar = AsyncIterable<readonly Uint8Array[]>;

export interface LayerCommit {
  /** By which ostree labels the layer's files. */
  readonly selinuxPolicyDir?: string | undefined;
  /** Texts in the commit, by their keys. */
  readonly metadata: Readonly<Record<string, string>>;
  /** In place of the time of the import. */
  readonly timestampEpoch?: number | undefined;
}

export interface LayerStore {
  /**
   * The checksum of the commit that the tar became; whatever `tar` throws ends that. Undefined when something
   * in the tar cannot be stored so.
   */
  commit(tar: Tar, how: LayerCommit): Promise<string | undefined>;
  /** The commit is what it should be. When the layer is durable under its pending ref, `durable` resolves. */
  accept(commit: string): Promise<{ readonly durable: Promise<void> }>;
}

/** Every layer, with whatever attributes, into a repository of any mode. */
export function storeByOstree(
  ctx: Context,
  { repo, layerDigest }: { readonly repo: string; readonly layerDigest: string },
): LayerStore {
  return {
    async commit(tar, { selinuxPolicyDir, metadata, timestampEpoch }) {
      const args = [
        ...(selinuxPolicyDir === undefined ? [] : [`--selinux-policy=${selinuxPolicyDir}`]),
        ...Object.entries(metadata).map(([key, text]) => `--add-metadata-string=${key}=${text}`),
        ...(timestampEpoch === undefined ? [] : [`--timestamp=@${timestampEpoch}`]),
        "--tar-autocreate-parents",
      ];
      return await commitTar(ctx, { repo, ref: unverifiedRef(layerDigest), args }, tar);
    },
    async accept(commit) {
      await acceptLayer(repo, layerDigest, commit);
      return { durable: Promise.resolve() };
    },
  };
}

/** Layers without labels to be made, and without files that have attributes. */
export function storeByUs(
  { signal, env }: Context,
  slot: LayerSlot,
  layerDigest: string,
): LayerStore {
  return {
    async commit(tar, { metadata, timestampEpoch = importEpoch(env) }) {
      const texts = Object.entries(metadata);
      return await writeTarCommit(tar, {
        ...slot,
        signal,
        metadata: texts.map(([key, value]): [string, Variant] => [key, { type: "s", value }]),
        timestampEpoch,
      });
    },
    async accept(commit) {
      return { durable: slot.publish(layerDigest, commit) };
    },
  };
}

/** As ostree has it: now, unless a reproducible build says otherwise. */
function importEpoch({ SOURCE_DATE_EPOCH: told }: Context["env"]): number {
  return told !== undefined && /^\d+$/.test(told) ? Number(told) : Math.floor(Date.now() / 1000);
}
