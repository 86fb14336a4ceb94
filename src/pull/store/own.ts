// A tar that is ready for `ostree commit --tree=tar` made a commit of by ourselves, in one pass.
// Its objects, named by what was hashed, go into a repository of its own, from where ostree takes them.
import type { Variant } from "../../ostree/gvariant.ts";
import { FILE_TYPES, formatCommit, sha256 } from "../../ostree/objects.ts";
import type { Scratch } from "../../repository/scratch.ts";
import type { TarEntry } from "../../tar/entry.ts";
import { damagedTar } from "../../tar/header.ts";
import { createTarFilter, type Verdict } from "../../tar/reader.ts";
import { xattrsOf } from "../../tar/xattrs.ts";
import { normalizePath } from "../import/placement.ts";
import type { FileWriter, ObjectWriter } from "./objects.ts";
import { createLayerTree, type LayerTree } from "./tree.ts";

export interface TarCommitOptions {
  readonly scratch: Scratch;
  readonly objects: ObjectWriter;
  readonly metadata: readonly (readonly [string, Variant])[];
  readonly timestampEpoch: number;
  readonly signal: AbortSignal;
}

/**
 * The commit's checksum; it has no ref. Undefined when a file has extended attributes, which only ostree can
 * store. That, and what `tar` throws, leaves objects that nobody names.
 */
export async function writeTarCommit(
  tar: AsyncIterable<readonly Uint8Array[]>,
  { scratch, objects, signal, ...options }: TarCommitOptions,
): Promise<string | undefined> {
  const tree = createLayerTree();
  const entries = createEntryWriter(objects, tree);
  const filter = createTarFilter(entries.handle);
  try {
    for await (const pieces of tar) {
      for (const piece of pieces) filter.feed(bufferOf(piece));
      if (entries.isBeyondUs()) return undefined;
      await objects.drain();
      signal.throwIfAborted();
    }
    if (!filter.end().hasEndMarker) throw damagedTar("no end marker");
  } finally {
    entries.abandon();
    await objects.settle();
  }
  await objects.drain();
  const root = tree.finish(scratch.add);
  const commit = formatCommit({
    metadata: options.metadata,
    parent: undefined,
    subject: "",
    body: "",
    timestampEpoch: options.timestampEpoch,
    rootTree: root.tree,
    rootMeta: root.meta,
  });
  const checksum = sha256(commit);
  scratch.add(checksum, "commit", commit);
  return checksum;
}

/** Content becomes objects, names become a tree. */
function createEntryWriter(objects: ObjectWriter, tree: LayerTree) {
  let current: FileWriter | undefined;
  let isBeyondUs = false;

  function startFile(entry: TarEntry, path: string): Verdict {
    const file = objects.file(entry);
    const end = () => tree.addFile(path, entry, file.end());
    let left = entry.sizeBytes;
    if (left === 0) {
      end();
      return DROP;
    }
    current = file;
    const write = (piece: Buffer) => {
      // What follows the content is padding.
      if (left === 0) return;
      const content = piece.length <= left ? piece : piece.subarray(0, left);
      file.write(content);
      left -= content.length;
      if (left > 0) return;
      end();
      current = undefined;
    };
    return { kind: "spool", write, skip: neverSparse };
  }

  function handle(entry: TarEntry): Verdict {
    const path = normalizePath(entry.path);
    const xattrs = xattrsOf(entry);
    const { type, uid, gid } = entry;
    const isContent = type === "file" || type === "symlink";
    isBeyondUs ||= isContent && xattrs.length > 0;
    if (isBeyondUs) return DROP;
    switch (type) {
      case "directory":
        tree.addDirectory(path, { uid, gid, mode: FILE_TYPES.directory | entry.mode, xattrs });
        return DROP;
      case "hardlink":
        tree.addHardLink(path, entry, normalizePath(entry.linkPath));
        return DROP;
      case "symlink":
        tree.addFile(path, entry, objects.symlink({ uid, gid }, entry.linkPath));
        return DROP;
      case "file":
        return startFile(entry, path);
      case "special":
        throw new Error("unreachable: special files are left out before");
    }
  }

  return { handle, isBeyondUs: () => isBeyondUs, abandon: () => current?.abandon() };
}

const DROP: Verdict = { kind: "drop" };

function neverSparse(): never {
  throw new Error("unreachable: sparse files are expanded before");
}

function bufferOf(piece: Uint8Array): Buffer {
  return Buffer.isBuffer(piece)
    ? piece
    : Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
}
