// Makes commits of layers with `ostree commit`: of every layer, in a repository of any mode.
import { commitTar } from "../../programs/ostree/repo.ts";
import { acceptLayer, unverifiedRef } from "../../repository/pending.ts";
import type { Context } from "../../system/context.ts";
import { BLOCK, formatHeader, paddingOf } from "../../tar/header.ts";
import { xattrRecords } from "../../tar/xattrs.ts";
import {
  type LabelOf,
  type LayerEntries,
  type LayerEntry,
  type LayerSink,
  withOwnLabel,
} from "./sink.ts";

export function createOstreeSink(
  ctx: Context,
  { repo, layerDigest }: { readonly repo: string; readonly layerDigest: string },
): LayerSink {
  return {
    async commit(entries, { selinuxPolicyDir, labelOf, metadata, timestampEpoch }) {
      const args = [
        ...(selinuxPolicyDir === undefined ? [] : [`--selinux-policy=${selinuxPolicyDir}`]),
        ...Object.entries(metadata).map(([key, text]) => `--add-metadata-string=${key}=${text}`),
        ...(timestampEpoch === undefined ? [] : [`--timestamp=@${timestampEpoch}`]),
        "--tar-autocreate-parents",
      ];
      return await commitTar(
        ctx,
        { repo, ref: unverifiedRef(layerDigest), args },
        tarOf(entries, labelOf),
      );
    },
    async accept(commit) {
      await acceptLayer(repo, layerDigest, commit);
      return { durable: Promise.resolve() };
    },
  };
}

/** How much is handed over at once: a pipe is slow with many small pieces. */
const BATCH_BYTES = 1 << 18;
/** Copying pieces up to this size costs less than handing over each by itself. */
const SMALL_BYTES = 1 << 14;
const PAGE_BYTES = 1 << 16;

/** The entries as a tar. Its end marker comes only when they have ended without an error. */
export async function* tarOf(
  entries: LayerEntries,
  labelOf?: LabelOf,
): AsyncGenerator<readonly Uint8Array[]> {
  const batch = newBatch();
  for await (const entry of entries) {
    add(batch, headerOf(withOwnLabel(entry, labelOf)));
    for await (const piece of entry.content) {
      add(batch, piece);
      if (isFull(batch)) yield take(batch);
    }
    add(batch, ZEROS.subarray(0, paddingOf(entry.sizeBytes)));
    if (isFull(batch)) yield take(batch);
  }
  add(batch, ZEROS);
  yield take(batch);
}

/** Two blocks: the end marker. */
const ZEROS = Buffer.alloc(2 * BLOCK);

function headerOf(entry: LayerEntry): Buffer {
  return formatHeader({
    ...entry,
    name: entry.path === "" ? "./" : entry.path,
    linkName: entry.linkTarget,
    records: xattrRecords(entry.xattrs),
  });
}

/** Bytes to hand over; consecutive small pieces are copied into one. */
interface Batch {
  pieces: Uint8Array[];
  bytes: number;
  page: Buffer;
  /** How much of the page is in use, and from where on it is not among the pieces yet. */
  used: number;
  start: number;
}

function newBatch(): Batch {
  return { pieces: [], bytes: 0, page: Buffer.allocUnsafe(PAGE_BYTES), used: 0, start: 0 };
}

function add(batch: Batch, piece: Buffer): void {
  batch.bytes += piece.length;
  if (piece.length > SMALL_BYTES) {
    closePage(batch);
    batch.pieces.push(piece);
    return;
  }
  if (batch.used + piece.length > PAGE_BYTES) {
    closePage(batch);
    // The old one may still wait to be written.
    batch.page = Buffer.allocUnsafe(PAGE_BYTES);
    batch.used = 0;
    batch.start = 0;
  }
  batch.used += piece.copy(batch.page, batch.used);
}

function closePage(batch: Batch): void {
  const { page, start, used } = batch;
  if (used > start) batch.pieces.push(page.subarray(start, used));
  batch.start = used;
}

function isFull({ bytes }: Batch): boolean {
  return bytes >= BATCH_BYTES;
}

function take(batch: Batch): readonly Uint8Array[] {
  closePage(batch);
  const { pieces } = batch;
  batch.pieces = [];
  batch.bytes = 0;
  return pieces;
}
