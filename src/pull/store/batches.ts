// Layers written by ourselves, moved into the repository several at a time: each move is a transaction of
// ostree that flushes the file system and up to 256 directories. A layer that ends alone is moved at once.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { returnFreeMemory } from "../../native/allocator.ts";
import { unmapProgramPages } from "../../native/program-pages.ts";
import { keyfileValue, parseKeyfile } from "../../ostree/keyfile.ts";
import { pendingRef } from "../../ostree/ref-names.ts";
import { readCommit } from "../../repository/files.ts";
import { syncPendingRefs } from "../../repository/pending.ts";
import { createScratch, partialMark, type Scratch } from "../../repository/scratch.ts";
import { readReserve } from "../../repository/space.ts";
import { tryPublish } from "../../repository/transaction.ts";
import type { Context } from "../../system/context.ts";
import { createObjectWriter, type ObjectWriter } from "./write-objects.ts";

/** A layer being written. */
export interface LayerSlot {
  readonly scratch: Scratch;
  readonly objects: ObjectWriter;
  /** The layer is whole and verified; resolves when it is durable under its pending ref, after `end`. */
  publish(digest: string, layer: PublishedLayer): Promise<void>;
  /** Something went wrong with the writing itself: nothing that was written beside it is published. */
  spoil(error: unknown): void;
  /** To be called in any case, when nothing is written for this layer any more. */
  end(): void;
}

export interface PublishedLayer {
  readonly commit: string;
  /** Whether all objects of the commit were written here; others have to be in the repository. */
  readonly isProven: boolean;
}

export interface Batches {
  open(): Promise<LayerSlot>;
  /** Forgets what is not published. */
  remove(): Promise<void>;
}

interface Batch {
  readonly scratch: Scratch;
  readonly objects: ObjectWriter;
  /** By their refs. */
  readonly layers: Map<string, PublishedLayer>;
  readonly published: PromiseWithResolvers<void>;
  /** Layers that were begun. */
  joined: number;
  writers: number;
  isClosed: boolean;
  spoiledBy: unknown;
}

/** A batch with more content than this takes no more layers. */
const BATCH_BYTES = 128 << 20;

/** Whether layers can be written by ourselves into `repo`. */
export async function canWriteObjects(repo: string): Promise<boolean> {
  const config = await readFile(join(repo, "config"), "utf8");
  return decideWritable(config, process.getuid?.());
}

/**
 * Whether ostree can take objects from us by hard link, by the repository's `config`: owners are ours to set,
 * files are kept as they are, flushed at the end of a transaction, and not sealed.
 */
export function decideWritable(config: string, uid: number | undefined): boolean {
  const keyfile = parseKeyfile(config);
  const isBare = keyfileValue(keyfile, "core", "mode") === "bare";
  const perObject = keyfileValue(keyfile, "core", "per-object-fsync") ?? "false";
  const fsverity = keyfileValue(keyfile, "ex-integrity", "fsverity") ?? "no";
  const composefs = keyfileValue(keyfile, "ex-integrity", "composefs") ?? "no";
  return uid === 0 && isBare && [perObject, fsverity, composefs].every((it) => OFF.has(it));
}

const OFF = new Set(["no", "false", "0"]);

export async function createBatches(ctx: Context, repo: string): Promise<Batches> {
  // Memory is scarce from here on, and the start is over.
  unmapProgramPages();
  const reserveBytes = await readReserve(repo);
  const waiting = new Set<Batch>();
  let current: Promise<Batch> | undefined;
  let publishing: Promise<void> | undefined;

  /** Those that nobody writes to, one after another; meanwhile others may join one that is open. */
  async function publishReady(): Promise<void> {
    if (publishing !== undefined) return;
    const ready = [...waiting].find((it) => it.writers === 0);
    if (ready === undefined) return;
    close(ready);
    waiting.delete(ready);
    publishing = publish(ctx, repo, ready);
    await publishing;
    publishing = undefined;
    await publishReady();
  }

  function close(batch: Batch): void {
    if (!batch.isClosed) current = undefined;
    batch.isClosed = true;
  }

  /** Joins the open batch, creating one if needed. */
  async function joinOne(): Promise<Batch> {
    for (;;) {
      current ??= createBatch(repo, reserveBytes);
      const batch = await current.catch((error: unknown) => {
        current = undefined;
        throw error;
      });
      if (batch.isClosed) continue;
      batch.writers++;
      batch.joined++;
      waiting.add(batch);
      return batch;
    }
  }

  return {
    async open() {
      const batch = await joinOne();
      const end = () => {
        batch.writers--;
        const isFull = batch.objects.takenBytes() > BATCH_BYTES;
        if (isFull || batch.spoiledBy !== undefined) close(batch);
        void publishReady();
      };
      return slotOf(batch, end);
    },
    async remove() {
      while (publishing !== undefined) await publishing;
      for (const { scratch } of waiting) scratch.remove();
    },
  };
}

async function createBatch(repo: string, reserveBytes: number): Promise<Batch> {
  const scratch = await createScratch(repo, "bare");
  const objects = createObjectWriter({ scratch, shared: repo, reserveBytes });
  const published = Promise.withResolvers<void>();
  published.promise.catch(() => undefined); // every layer of it waits for that by itself
  return {
    scratch,
    objects,
    layers: new Map(),
    published,
    joined: 0,
    writers: 0,
    isClosed: false,
    spoiledBy: undefined,
  };
}

function slotOf(batch: Batch, end: () => void): LayerSlot {
  return {
    scratch: batch.scratch,
    objects: batch.objects,
    publish(digest, layer) {
      batch.layers.set(pendingRef(digest), layer);
      return batch.published.promise;
    },
    spoil(error) {
      batch.spoiledBy ??= error;
    },
    end,
  };
}

/** Never rejects: a failure goes to the promises of the batch's layers. */
async function publish(ctx: Context, repo: string, batch: Batch): Promise<void> {
  const { layers, published, scratch } = batch;
  try {
    try {
      if (batch.spoiledBy !== undefined) throw batch.spoiledBy;
      if (layers.size > 0) await move(ctx, repo, batch);
    } finally {
      scratch.remove();
    }
    // What the layers needed while they passed through is free now, in pieces that do not suit what comes.
    returnFreeMemory();
    unmapProgramPages();
    published.resolve();
  } catch (error) {
    published.reject(error);
  }
}

async function move(ctx: Context, repo: string, { scratch, layers, joined }: Batch): Promise<void> {
  for (const [ref, { commit }] of layers) await scratch.setRef(ref, commit);
  // Of a layer that turned out to be damaged there are objects, which ostree leaves behind.
  if (joined === layers.size) {
    const unproven = [...layers.values()].filter((it) => !it.isProven).map((it) => it.commit);
    if (await tryPublish(ctx, { repo, scratch, unproven })) return;
  }
  for (const { commit } of layers.values()) {
    // A commit that is there may lack objects, after a power cut for instance; so marked, it is completed.
    if ((await readCommit(repo, commit)) !== undefined) {
      await writeFile(partialMark(repo, commit), "");
    }
  }
  await scratch.pull(ctx);
  await syncPendingRefs(repo);
}
