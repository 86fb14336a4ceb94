// Commits of an empty tree; one of them as files in a repository.
import {
  EMPTY_TREE,
  EMPTY_TREE_BYTES,
  formatCommit,
  objectPath,
  sha256,
} from "../ostree/objects.ts";

/** The bytes of a commit of an empty tree with texts as metadata. */
export function formatEmptyCommit(metadata: Readonly<Record<string, string>> = {}): Buffer {
  return formatCommit({
    metadata: Object.entries(metadata).map(([key, value]) => [key, { type: "s", value }] as const),
    parent: undefined,
    subject: "",
    body: "",
    timestampEpoch: 0,
    rootTree: EMPTY_TREE,
    rootMeta: "0".repeat(64),
  });
}

const BYTES = formatEmptyCommit();

export const EMPTY_COMMIT = sha256(BYTES);

/** Contents by path below the repository. */
export const EMPTY_COMMIT_FILES: Readonly<Record<string, Uint8Array>> = {
  [objectPath(EMPTY_COMMIT, "commit")]: BYTES,
  [objectPath(EMPTY_TREE, "dirtree")]: EMPTY_TREE_BYTES,
};
