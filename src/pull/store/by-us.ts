// Makes commits of layers without ostree, in one pass. The objects, named by what was hashed, go into
// a scratch repository, from which ostree takes them.
import type { Variant } from "../../ostree/gvariant.ts";
import { FILE_TYPES, formatCommit, sha256 } from "../../ostree/objects.ts";
import type { Scratch } from "../../repository/scratch.ts";
import type { Context } from "../../system/context.ts";
import type { LayerSlot } from "./batches.ts";
import {
  type LabelOf,
  type LayerCommit,
  type LayerEntries,
  type LayerEntry,
  type LayerSink,
  withOwnLabel,
} from "./sink.ts";
import { createLayerTree, type LayerTree } from "./tree.ts";
import type { ObjectWriter } from "./write-objects.ts";

export function createOwnSink(
  { env, signal }: Pick<Context, "env" | "signal">,
  slot: Omit<LayerSlot, "end" | "spoil">,
  layerDigest: string,
): LayerSink {
  return {
    async commit(entries, how) {
      const tree = createLayerTree(how.labelOf);
      const isWritten = await writeEntries(entries, {
        ...{ ...slot, tree, signal },
        labelOf: how.labelOf,
      });
      return isWritten ? addCommit(slot.scratch, tree, { ...how, env }) : undefined;
    },
    async accept(commit) {
      return { durable: slot.publish(layerDigest, { commit, isProven: true }) };
    },
  };
}

interface EntryWriter {
  readonly objects: ObjectWriter;
  readonly tree: LayerTree;
  readonly signal: AbortSignal;
  readonly labelOf: LabelOf | undefined;
}

/**
 * Content becomes objects, names become the tree. False when a file has extended attributes that only ostree
 * can store here. That, and what `entries` throw, leaves objects that nobody names.
 */
async function writeEntries(entries: LayerEntries, writer: EntryWriter): Promise<boolean> {
  const { objects, tree, signal } = writer;
  try {
    for await (const unlabelled of entries) {
      const entry = withOwnLabel(unlabelled, writer.labelOf);
      if (isBeyondUs(entry, writer)) return false;
      signal.throwIfAborted();
      if (entry.type === "file") tree.addFile(entry.path, entry, await writeFile(entry, writer));
      else addName(entry, writer);
    }
  } finally {
    await objects.settle();
  }
  await objects.drain();
  return true;
}

function isBeyondUs({ type, xattrs }: LayerEntry, { objects }: EntryWriter): boolean {
  return (type === "file" || type === "symlink") && xattrs.length > 0 && !objects.takesXattrs;
}

function addName(entry: LayerEntry, { objects, tree }: EntryWriter): void {
  const { type, path, linkTarget, uid, gid, xattrs } = entry;
  switch (type) {
    case "directory":
      tree.addDirectory(path, { uid, gid, mode: FILE_TYPES.directory | entry.mode, xattrs });
      return;
    case "hardlink":
      tree.addHardLink(path, entry, linkTarget);
      return;
    case "symlink":
      tree.addFile(path, entry, objects.symlink(entry, linkTarget));
      return;
    case "file":
      throw new Error("unreachable: files have content, too");
  }
}

/** The object's checksum. */
async function writeFile(entry: LayerEntry, { objects, signal }: EntryWriter): Promise<string> {
  const file = objects.file(entry);
  try {
    for await (const piece of entry.content) {
      file.write(piece);
      await objects.drain();
      signal.throwIfAborted();
    }
  } catch (error) {
    file.abandon();
    throw error;
  }
  return file.end();
}

/** The commit's checksum; it has no ref. */
function addCommit(
  scratch: Scratch,
  tree: LayerTree,
  { metadata, env, timestampEpoch = importEpoch(env) }: LayerCommit & Pick<Context, "env">,
): string {
  const root = tree.finish(scratch.add);
  const texts = Object.entries(metadata);
  const commit = formatCommit({
    metadata: texts.map(([key, value]): [string, Variant] => [key, { type: "s", value }]),
    parent: undefined,
    subject: "",
    body: "",
    timestampEpoch,
    rootTree: root.tree,
    rootMeta: root.meta,
  });
  const checksum = sha256(commit);
  scratch.add(checksum, "commit", commit);
  return checksum;
}

/** As ostree has it: now, unless a reproducible build says otherwise. */
function importEpoch({ SOURCE_DATE_EPOCH: told }: Context["env"]): number {
  return told !== undefined && /^\d+$/.test(told) ? Number(told) : Math.floor(Date.now() / 1000);
}
