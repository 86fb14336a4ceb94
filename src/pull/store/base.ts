// Where the metadata objects of an encapsulated commit go, and how the commit becomes visible with them.
import { BootcError, diskFailure } from "../../errors.ts";
import type { ObjectKind } from "../../ostree/objects.ts";
import { pendingRef } from "../../ostree/ref-names.ts";
import { rejectLayer } from "../../repository/pending.ts";
import { createScratch } from "../../repository/scratch.ts";
import type { Context } from "../../system/context.ts";
import type { LayerSlot } from "./batches.ts";

/** Takes a base's commit beside the sink that takes the content objects of its layer. */
export interface BaseSink {
  /** The object's checksum has been compared. */
  add(checksum: string, kind: ObjectKind, bytes: Buffer): void;
  /** The base is the one that was announced; `durable` rejects when an object of it is missing. */
  accept(commit: string): Promise<{ readonly durable: Promise<void> }>;
  /** To be called in any case, after `accept` if that is called. */
  end(): void;
}

/** The base is published with the content objects of its own layer. */
export function createOwnBase(
  { scratch, publish }: Pick<LayerSlot, "scratch" | "publish">,
  layerDigest: string,
): BaseSink {
  return {
    add: scratch.add,
    async accept(commit) {
      return {
        durable: publish(layerDigest, { commit, isProven: false }).catch(explainIncomplete),
      };
    },
    end() {},
  };
}

/** The content objects are in the repository by now, under an unverified ref. */
export async function createOstreeBase(
  ctx: Context,
  { repo, layerDigest }: { readonly repo: string; readonly layerDigest: string },
): Promise<BaseSink> {
  const scratch = await createScratch(repo);
  return {
    add: scratch.add,
    async accept(commit) {
      await scratch.setRef(pendingRef(layerDigest), commit);
      await scratch.pull(ctx).catch(explainIncomplete);
      await rejectLayer(repo, layerDigest);
      return { durable: Promise.resolve() };
    },
    end: scratch.remove,
  };
}

/** What a disk refuses also names objects. */
function explainIncomplete(cause: unknown): never {
  if (diskFailure(String(cause)) !== undefined) throw cause;
  if (!/object|[Cc]orrupt|checksum|No such/.test(String(cause))) throw cause;
  throw new BootcError("the base commit is not complete", { kind: "integrity", cause });
}
