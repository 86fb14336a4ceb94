// A commit of nothing at all, as the files a repository has of it.
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

/** Paths below the repository, and what is in the files. */
export const EMPTY_COMMIT_FILES: Readonly<Record<string, Uint8Array>> = {
  [objectPath(EMPTY_COMMIT, "commit")]: BYTES,
  [objectPath(EMPTY_TREE, "dirtree")]: EMPTY_TREE_BYTES,
};
