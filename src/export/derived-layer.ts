// A derived layer again as the tar it came from: its commit's files as people see them, whiteouts included.
import type { FileMetadata } from "../ostree/objects.ts";
import type { LayerEntry } from "../pull/store/sink.ts";
import { LABEL } from "../pull/store/xattrs.ts";
import { openContent } from "./content.ts";
import {
  containerPath,
  createMetaReader,
  type ExportedTree,
  type TreeStep,
  walkCommitted,
} from "./tree.ts";

/** Before 2024.3 ostree moved it away; builds need it, and a merge gives it to the tree, as here. */
const MOUNT_POINT = "var";

const NOTHING = { sizeBytes: 0, linkTarget: "", content: [] };

/**
 * Labels are left out: they depend on the image's policy, and whoever stores the layer gives its own. Of
 * several equal files one is written, and the others lead there, as they do in a deployment.
 */
export async function* derivedLayerEntries(
  tree: ExportedTree,
  { isFirst }: { readonly isFirst: boolean },
): AsyncGenerator<LayerEntry> {
  const read = await openContent(tree.repo);
  const readMeta = createMetaReader(tree.repo);
  const firstPaths = new Map<string, string>();
  let hasVar = false;
  for (const step of whiteoutsFirst(walkCommitted(tree))) {
    const path = containerPath(step.path);
    hasVar ||= path === MOUNT_POINT;
    if (step.kind === "directory") {
      yield directoryEntry(path, readMeta(step.meta));
      continue;
    }
    const object = read(step.checksum);
    const first = firstPaths.get(step.checksum);
    const isLinked = object.type === "file" && object.sizeBytes > 0;
    if (isLinked && first !== undefined) {
      const { uid, gid, mode } = object;
      const link = { linkTarget: first, sizeBytes: 0, content: [] };
      yield { type: "hardlink", path, uid, gid, mode, xattrs: [], ...link };
      continue;
    }
    if (isLinked) firstPaths.set(step.checksum, path);
    yield { ...object, path, xattrs: withoutLabel(object.xattrs) };
  }
  if (isFirst && !hasVar) yield directoryEntry(MOUNT_POINT, readMeta(tree.rootMeta));
}

function directoryEntry(path: string, { uid, gid, mode, xattrs }: FileMetadata): LayerEntry {
  return {
    ...{ type: "directory", path, uid, gid, mode: mode & 0o7777 },
    ...{ xattrs: withoutLabel(xattrs), ...NOTHING },
  };
}

function withoutLabel(xattrs: LayerEntry["xattrs"]): LayerEntry["xattrs"] {
  return xattrs.filter(({ name }) => name !== LABEL);
}

/** Some readers would remove with a whiteout what the same layer adds before it. */
function* whiteoutsFirst(steps: Iterable<TreeStep>): Generator<TreeStep> {
  let held: TreeStep[] = [];
  for (const step of steps) {
    if (step.kind === "directory") {
      yield* held;
      held = [];
      yield step;
    } else if (isWhiteoutPath(step.path)) yield step;
    else held.push(step);
  }
  yield* held;
}

function isWhiteoutPath(path: string): boolean {
  return path.startsWith(".wh.", path.lastIndexOf("/") + 1);
}
