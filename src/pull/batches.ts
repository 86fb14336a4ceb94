// Layers written by ourselves, moved into the repository several at a time: each move is a transaction of
// ostree that flushes the file system and up to 256 directories. A layer that ends alone is moved at once.
import { rmSync } from "node:fs";
import { readFile, statfs } from "node:fs/promises";
import { join } from "node:path";
import { keyfileFlag, keyfileValue, parseKeyfile } from "../ostree/keyfile.ts";
import { pendingRef } from "../ostree/ref-names.ts";
import type { Context } from "../system/context.ts";
import { createObjectWriter, type ObjectWriter } from "./object-writer.ts";
import { createScratch, type Scratch } from "./scratch.ts";
import { decideReserve } from "./space.ts";

/** A layer being written. */
export interface LayerSlot {
  readonly scratch: Scratch;
  readonly objects: ObjectWriter;
  /** The layer is whole and verified; resolves when it is durable under its pending ref, after `end`. */
  publish(digest: string, commit: string): Promise<void>;
  /** To be called in any case, when nothing is written for this layer any more. */
  end(): void;
}

export interface Batches {
  open(): Promise<LayerSlot>;
  /** Forgets what is not published. */
  remove(): Promise<void>;
}

interface Batch {
  readonly scratch: Scratch;
  readonly objects: ObjectWriter;
  readonly layers: Map<string, string>;
  readonly published: PromiseWithResolvers<void>;
  writers: number;
  isClosed: boolean;
}

/** A batch with more content than this takes no more layers. */
const BATCH_BYTES = 128 << 20;

/**
 * Whether ostree can take objects from us by hard link: owners are ours to set, the repository keeps files as
 * they are, flushes them at the end of its transaction, and seals none.
 */
export async function canWriteObjects(repo: string): Promise<boolean> {
  const config = parseKeyfile(await readFile(join(repo, "config"), "utf8"));
  const isBare = keyfileValue(config, "core", "mode") === "bare";
  const isFlushedAsWhole = keyfileFlag(config, "core", "per-object-fsync") !== true;
  const fsverity = keyfileValue(config, "ex-integrity", "fsverity") ?? "no";
  const composefs = keyfileValue(config, "ex-integrity", "composefs") ?? "no";
  const hasNoSeals = [fsverity, composefs].every((it) => OFF.has(it));
  return process.getuid?.() === 0 && isBare && isFlushedAsWhole && hasNoSeals;
}

const OFF = new Set(["no", "false", "0"]);

export async function createBatches(ctx: Context, repo: string): Promise<Batches> {
  const files = await statfs(repo);
  const reserveBytes = decideReserve(await readFile(join(repo, "config"), "utf8"), {
    sizeBytes: files.blocks * files.bsize,
  });
  const waiting = new Set<Batch>();
  let current: Promise<Batch> | undefined;
  let publishing: Promise<void> | undefined;

  /** Those that nobody writes to, one after another; meanwhile others may join one that is open. */
  async function publishReady(): Promise<void> {
    if (publishing !== undefined) return;
    const ready = [...waiting].find((it) => it.writers === 0 && it.layers.size > 0);
    if (ready === undefined) return;
    close(ready);
    waiting.delete(ready);
    publishing = publish(ctx, ready);
    await publishing;
    publishing = undefined;
    await publishReady();
  }

  function close(batch: Batch): void {
    if (!batch.isClosed) current = undefined;
    batch.isClosed = true;
  }

  /** One that takes layers, with one more writer. */
  async function joinOne(): Promise<Batch> {
    for (;;) {
      current ??= createBatch(repo, reserveBytes);
      const batch = await current;
      if (batch.isClosed) continue;
      batch.writers++;
      waiting.add(batch);
      return batch;
    }
  }

  return {
    async open() {
      const batch = await joinOne();
      const end = () => {
        batch.writers--;
        if (batch.objects.takenBytes() > BATCH_BYTES) close(batch);
        void publishReady();
      };
      return slotOf(batch, end);
    },
    async remove() {
      await publishing;
      for (const { scratch } of waiting) forget(scratch);
    },
  };
}

async function createBatch(repo: string, reserveBytes: number): Promise<Batch> {
  const scratch = await createScratch(repo, "bare");
  const objects = createObjectWriter({ top: scratch.top, shared: repo, reserveBytes });
  const published = Promise.withResolvers<void>();
  published.promise.catch(() => undefined); // every layer of it waits for that by itself
  return { scratch, objects, layers: new Map(), published, writers: 0, isClosed: false };
}

function slotOf({ scratch, objects, layers, published }: Batch, end: () => void): LayerSlot {
  return {
    scratch,
    objects,
    publish(digest, commit) {
      layers.set(pendingRef(digest), commit);
      return published.promise;
    },
    end,
  };
}

/** Never rejects: who waits for the layers of the batch is told. */
async function publish(ctx: Context, { scratch, layers, published }: Batch): Promise<void> {
  try {
    try {
      for (const [ref, commit] of layers) await scratch.setRef(ref, commit);
      await scratch.pull(ctx);
    } finally {
      forget(scratch);
    }
    published.resolve();
  } catch (error) {
    published.reject(error);
  }
}

/** Not by promises: for some thousand files these take many times as long. */
function forget({ top }: Scratch): void {
  rmSync(top, { recursive: true, force: true });
}
