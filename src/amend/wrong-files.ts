// Files of a stored image that are not what its layers have at their paths.
import { createHash } from "node:crypto";
import { type ContentObject, openContent, type ReadContent } from "../export/content.ts";
import { readDirtreeBytes } from "../export/tree.ts";
import { parseDirtree } from "../ostree/dirtree.ts";
import { mergeLayers } from "../pull/merge/merge.ts";
import type { Content } from "../pull/store/sink.ts";
import { requireCommit } from "../repository/files.ts";
import { findLayersOf, type PlannedLayer, type StoredImage } from "../repository/images.ts";

export interface WrongFile {
  /** Absolute. */
  readonly path: string;
  /** The objects that the image has there, and that its layers have. */
  readonly found: string;
  readonly wanted: string;
}

/**
 * Undefined when a layer is missing, so that nobody can say. Other importers place files differently and
 * label them, so only paths count that both have, and only the owner, mode and content there.
 */
export async function findWrongFiles(
  repo: string,
  stored: StoredImage,
): Promise<readonly WrongFile[] | undefined> {
  const layers = (await findLayersOf(repo, stored)).filter((it) => it.kind !== "chunk");
  if (layers.some((it) => it.commit === undefined)) return undefined;
  const [base] = commitsOf(layers, "commit");
  const merged = await mergeLayers({ repo, base, derived: commitsOf(layers, "derived") });
  const { rootTree } = await requireCommit(repo, stored.commit);
  const load = (tree: string) =>
    parseDirtree(merged.newTrees.get(tree) ?? readDirtreeBytes(repo, tree));
  const read = await openContent(repo);
  const wrong: WrongFile[] = [];
  for (const it of differing(load, { path: "", found: rootTree, wanted: merged.rootTree })) {
    if (!(await isSame(read, it))) wrong.push(it);
  }
  return wrong;
}

function commitsOf(layers: readonly PlannedLayer[], kind: PlannedLayer["kind"]) {
  return layers.flatMap((it) => (it.kind === kind ? (it.commit ?? []) : []));
}

/** The paths of two trees at which they have different file objects. */
function* differing(
  load: (tree: string) => ReturnType<typeof parseDirtree>,
  { path, found, wanted }: WrongFile,
): Generator<WrongFile> {
  if (found === wanted) return;
  const [before, after] = [load(found), load(wanted)];
  const files = new Map(before.files.map((it) => [it.name, it.checksum]));
  for (const { name, checksum } of after.files) {
    const other = files.get(name);
    if (other === undefined || other === checksum) continue;
    yield { path: `${path}/${name}`, found: other, wanted: checksum };
  }
  const dirs = new Map(before.dirs.map((it) => [it.name, it.tree]));
  for (const { name, tree } of after.dirs) {
    const other = dirs.get(name);
    if (other === undefined) continue;
    yield* differing(load, { path: `${path}/${name}`, found: other, wanted: tree });
  }
}

async function isSame(read: ReadContent, { found, wanted }: WrongFile): Promise<boolean> {
  const [one, other] = [read(found), read(wanted)];
  const facts = ({ type, uid, gid, mode, sizeBytes, linkTarget }: ContentObject) =>
    [type, uid, gid, mode, sizeBytes, linkTarget].join();
  if (facts(one) !== facts(other)) return false;
  return (await hashOf(one.content)) === (await hashOf(other.content));
}

async function hashOf(content: Content): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of content) hash.update(piece);
  return hash.digest("hex");
}
