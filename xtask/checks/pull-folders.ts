// The architecture of a pull: which question each folder answers, and what it may import.
import { type Folder, PURE, SYSTEM } from "./folder.ts";

export const PULL_FOLDERS: Readonly<Record<string, Folder>> = {
  "src/pull": {
    question: "how does an image become a commit",
    mayImport: [
      ...PURE,
      "src/programs/ostree",
      "src/programs/skopeo",
      "src/progress",
      "src/repository",
      "src/repository/clean",
      ...SYSTEM,
      "src/version.ts",
      "src/pull/fetch",
      "src/pull/import",
      "src/pull/labels",
      "src/pull/merge",
      "src/pull/plan",
      "src/pull/store",
    ],
  },
  "src/pull/plan": {
    question: "what has to be pulled",
    mayImport: [
      ...PURE,
      "src/programs/skopeo",
      "src/programs/tar.ts",
      "src/pull/fetch/retry.ts",
      "src/pull/request.ts",
      "src/repository",
      "src/repository/clean",
      ...SYSTEM,
    ],
  },
  "src/pull/fetch": {
    question: "how do blobs get here",
    mayImport: [
      ...PURE,
      "src/programs/skopeo",
      "src/progress",
      "src/pull/plan",
      "src/pull/request.ts",
      "src/repository",
      ...SYSTEM,
    ],
  },
  "src/pull/import": {
    question: "how does a layer become a commit",
    mayImport: [
      ...PURE,
      "src/programs/ostree",
      "src/progress",
      "src/pull/labels",
      "src/pull/plan",
      "src/pull/store",
      "src/repository",
      "src/sysroot",
      ...SYSTEM,
      "src/tar",
      "src/version.ts",
    ],
  },
  "src/pull/store": {
    question: "how does a layer get onto the disk",
    mayImport: [
      ...PURE,
      "src/native",
      "src/programs/ostree",
      "src/repository",
      ...SYSTEM,
      "src/tar",
    ],
  },
  "src/pull/labels": {
    question: "which SELinux labels do files get",
    mayImport: [...PURE, "src/native", "src/pull/store", "src/repository", ...SYSTEM],
  },
  "src/pull/merge": {
    question: "how do layers become one tree and a commit",
    mayImport: [
      ...PURE,
      "src/programs/ostree",
      "src/pull/labels",
      "src/pull/store",
      "src/repository",
      ...SYSTEM,
    ],
  },
};
