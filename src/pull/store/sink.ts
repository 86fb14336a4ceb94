// What import hands to store: the entries of a layer, ready for a commit, and the sinks that make it.
import { FILE_TYPES, type Xattr } from "../../ostree/objects.ts";
import { SYMLINK_MODE, withLabel } from "./xattrs.ts";

/** One entry of a layer's commit. Of two with the same path the later one counts. */
export interface LayerEntry {
  readonly type: "file" | "symlink" | "directory" | "hardlink";
  /** As its components joined by `/`; the root is an empty text. */
  readonly path: string;
  readonly uid: number;
  readonly gid: number;
  /** Only the permission bits. */
  readonly mode: number;
  readonly xattrs: readonly Xattr[];
  /** Of a file's content. */
  readonly sizeBytes: number;
  /** The text of a symbolic link; the path that a hard link leads to. Empty otherwise. */
  readonly linkTarget: string;
  /** Exactly `sizeBytes`. It can be read once, before the next entry is asked for. */
  readonly content: Content;
}

/** Nobody changes a piece later. */
export type Content = AsyncIterable<Buffer> | Iterable<Buffer>;

export const NO_CONTENT: Content = [];

/** They end when the blob they come from is verified; whatever is wrong with it is thrown before. */
export type LayerEntries = AsyncIterable<LayerEntry>;

/**
 * The SELinux label for `path`, absolute in the deployed system, as stored: with a NUL byte at its end.
 * `mode` includes the bits for the file type. Undefined when the policy gives none.
 */
export type LabelOf = (path: string, mode: number) => Buffer | undefined;

export interface LayerCommit {
  /** By which ostree labels the layer's files. */
  readonly selinuxPolicyDir?: string | undefined;
  /** By which we label them; ostree has no policy then. The entries come without labels of their own. */
  readonly labelOf?: LabelOf | undefined;
  /** Texts in the commit, by their keys. */
  readonly metadata: Readonly<Record<string, string>>;
  /** In place of the time of the import. */
  readonly timestampEpoch?: number | undefined;
}

/**
 * The entry with its label, if it is a file or a symbolic link. Directories of a tree get theirs when it is
 * whole, because some have no entry.
 */
export function withOwnLabel(entry: LayerEntry, labelOf: LabelOf | undefined): LayerEntry {
  const { type, path, mode, xattrs } = entry;
  if (labelOf === undefined || (type !== "file" && type !== "symlink")) return entry;
  const bits = type === "file" ? FILE_TYPES.regular | mode : SYMLINK_MODE;
  return { ...entry, xattrs: withLabel(xattrs, labelOf(`/${path}`, bits)) };
}

/** Makes a commit of a layer's entries. Nothing of it is trusted before it is accepted. */
export interface LayerSink {
  /**
   * The checksum of the commit that the entries became; rejects with whatever they throw. Undefined when this
   * sink cannot store one of them.
   */
  commit(entries: LayerEntries, how: LayerCommit): Promise<string | undefined>;
  /** The commit is what it should be. When the layer is durable under its pending ref, `durable` resolves. */
  accept(commit: string): Promise<{ readonly durable: Promise<void> }>;
}
