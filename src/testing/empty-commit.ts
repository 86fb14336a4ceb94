// An empty commit, as files in a repository.
import {
  EMPTY_TREE,
  EMPTY_TREE_BYTES,
  formatCommit,
  objectPath,
  sha256,
} from "../ostree/objects.ts";

const BYTES = formatCommit({
  metadata: [],
  parent: undefined,
  subject: "",
  body: "",
  timestampEpoch: 0,
  rootTree: EMPTY_TREE,
  rootMeta: "0".repeat(64),
});

export const EMPTY_COMMIT = sha256(BYTES);

/** Contents by path below the repository. */
export const EMPTY_COMMIT_FILES: Readonly<Record<string, Uint8Array>> = {
  [objectPath(EMPTY_COMMIT, "commit")]: BYTES,
  [objectPath(EMPTY_TREE, "dirtree")]: EMPTY_TREE_BYTES,
};
