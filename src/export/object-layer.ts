// Layers of an encapsulated commit: its objects, and hard links to them where people expect the files.
// Layout: upstream's container export, newest generation; importers since 2022 read it.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { formatVariant } from "../ostree/gvariant.ts";
import { objectPath, type Xattr, xattrsValue } from "../ostree/objects.ts";
import type { LayerEntry } from "../pull/store/sink.ts";
import { LABEL } from "../pull/store/xattrs.ts";
import { requireCommit } from "../repository/files.ts";
import { openContent, type ReadContent } from "./content.ts";
import {
  containerPath,
  createMetaReader,
  type ExportedTree,
  readDirtreeBytes,
  walkCommitted,
} from "./tree.ts";

/** A commit, and where each of its content objects is seen. */
export interface CommitObjects extends ExportedTree {
  readonly commit: string;
  /** By checksum, in the order of the paths. */
  readonly paths: ReadonlyMap<string, readonly string[]>;
  /** The metadata object of each directory. */
  readonly directories: ReadonlyMap<string, string>;
}

export async function readCommitObjects(repo: string, commit: string): Promise<CommitObjects> {
  const { rootTree, rootMeta } = await requireCommit(repo, commit);
  const paths = new Map<string, string[]>();
  const directories = new Map<string, string>();
  for (const step of walkCommitted({ repo, rootTree, rootMeta })) {
    const path = containerPath(step.path);
    if (step.kind === "directory") directories.set(path, step.meta);
    else paths.set(step.checksum, [...(paths.get(step.checksum) ?? []), path]);
  }
  return { repo, commit, rootTree, rootMeta, paths, directories };
}

const REPO = "sysroot/ostree/repo";
const CONFIG = Buffer.from("[core]\nrepo_version=1\nmode=bare-split-xattrs\n");
const OF_REPO = ["extensions", "refs", "refs/heads", "refs/mirrors", "refs/remotes", "state"];
const SKELETON = [
  ...["sysroot", "sysroot/ostree", REPO],
  ...[...OF_REPO, "tmp", "tmp/cache", "objects"].map((it) => `${REPO}/${it}`),
  ...Array.from({ length: 256 }, (_, i) => `${REPO}/objects/${i.toString(16).padStart(2, "0")}`),
];

/** The layer with the commit, all its directories, and the content objects `content`. */
export async function* commitLayerEntries(
  objects: CommitObjects,
  content: readonly string[],
): AsyncGenerator<LayerEntry> {
  const layer = await openLayer(objects);
  yield* skeletonEntries(layer);
  yield fileEntry(`${REPO}/config`, CONFIG);
  yield* metadataEntries(layer);
  if (!objects.directories.has("var/tmp")) {
    yield { ...directoryEntry("var/tmp"), mode: 0o1777 };
  }
  for (const checksum of content) yield* contentEntries(layer, checksum);
}

/** A layer with nothing but the content objects `content`. */
export async function* chunkLayerEntries(
  objects: CommitObjects,
  content: readonly string[],
): AsyncGenerator<LayerEntry> {
  const layer = await openLayer(objects);
  yield* skeletonEntries(layer);
  for (const checksum of content) yield* contentEntries(layer, checksum);
}

interface ObjectLayer {
  readonly objects: CommitObjects;
  readonly read: ReadContent;
  readonly readMeta: ReturnType<typeof createMetaReader>;
  /** Directories that are in the layer already. */
  readonly written: Set<string>;
}

async function openLayer(objects: CommitObjects): Promise<ObjectLayer> {
  const read = await openContent(objects.repo);
  return { objects, read, readMeta: createMetaReader(objects.repo), written: new Set() };
}

function* skeletonEntries(layer: ObjectLayer): Generator<LayerEntry> {
  yield* visibleDirectory(layer, "");
  for (const path of SKELETON) {
    if (layer.objects.directories.has(path)) yield* visibleDirectory(layer, path);
    else yield directoryEntry(path);
    layer.written.add(path);
  }
}

/** The commit, what is detached from it, and each directory object before the directory people see. */
function* metadataEntries(layer: ObjectLayer): Generator<LayerEntry> {
  const { repo, commit } = layer.objects;
  const seen = new Set<string>();
  yield objectEntry(repo, commit, "commit");
  if (existsSync(join(repo, objectPath(commit, "commitmeta")))) {
    yield objectEntry(repo, commit, "commitmeta");
  }
  for (const step of walkCommitted(layer.objects)) {
    if (step.kind === "file") continue;
    const { meta, tree } = step;
    if (!seen.has(meta)) yield objectEntry(repo, meta, "dirmeta");
    if (!seen.has(tree)) yield directoryObject(repo, tree);
    seen.add(meta).add(tree);
    yield* visibleDirectory(layer, containerPath(step.path));
  }
}

function directoryObject(repo: string, checksum: string): LayerEntry {
  const bytes = readDirtreeBytes(repo, checksum);
  return fileEntry(`${REPO}/${objectPath(checksum, "dirtree")}`, Buffer.from(bytes));
}

function objectEntry(
  repo: string,
  checksum: string,
  kind: "commit" | "commitmeta" | "dirmeta",
): LayerEntry {
  const path = objectPath(checksum, kind);
  return fileEntry(`${REPO}/${path}`, readFileSync(join(repo, path)));
}

/** A directory with the owner and mode that the commit gives it, once, after those above it. */
function* visibleDirectory(layer: ObjectLayer, path: string): Generator<LayerEntry> {
  if (layer.written.has(path)) return;
  layer.written.add(path);
  if (path !== "") yield* visibleDirectory(layer, parentOfPath(path));
  const checksum = layer.objects.directories.get(path);
  if (checksum === undefined) {
    yield directoryEntry(path);
    return;
  }
  const { uid, gid, mode, xattrs } = layer.readMeta(checksum);
  yield {
    ...directoryEntry(path),
    ...{ uid, gid, mode: mode & 0o7777, xattrs: xattrsForPeople(xattrs) },
  };
}

/** The attributes, the object, and the paths where it is seen. */
function* contentEntries(layer: ObjectLayer, checksum: string): Generator<LayerEntry> {
  const object = layer.read(checksum);
  const path = `${REPO}/${objectPath(checksum, "file")}`;
  yield fileEntry(
    `${REPO}/${objectPath(checksum, "file-xattrs-link")}`,
    formatVariant("a(ayay)", xattrsValue(object.xattrs)),
  );
  const visible = { ...object, xattrs: xattrsForPeople(object.xattrs) };
  yield { ...visible, path };
  for (const seen of layer.objects.paths.get(checksum) ?? []) {
    // The layer has its own repository there.
    if (seen.startsWith("sysroot/ostree/")) continue;
    yield* visibleDirectory(layer, parentOfPath(seen));
    // Builds that change a linked file copy up the object; for empty ones that is not needed.
    if (object.type === "file" && object.sizeBytes === 0) yield { ...visible, path: seen };
    else
      yield { ...visible, ...NOTHING, type: "hardlink", path: seen, xattrs: [], linkTarget: path };
  }
}

/** For runtimes that unpack the layer, which have labels of their own. */
function xattrsForPeople(xattrs: readonly Xattr[]): readonly Xattr[] {
  return xattrs.filter(({ name }) => name !== LABEL);
}

const NOTHING = { sizeBytes: 0, linkTarget: "", content: [] };

function fileEntry(path: string, bytes: Buffer): LayerEntry {
  return {
    ...{ type: "file", path, uid: 0, gid: 0, mode: 0o644, xattrs: [] },
    ...{ sizeBytes: bytes.length, linkTarget: "", content: bytes.length === 0 ? [] : [bytes] },
  };
}

function directoryEntry(path: string): LayerEntry {
  return { type: "directory", path, uid: 0, gid: 0, mode: 0o755, xattrs: [], ...NOTHING };
}

function parentOfPath(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf("/"), 0));
}
