// The architecture of `bootc container lint`: which question each folder answers, and what it may import.
import { type Folder, SYSTEM } from "./folder.ts";

export const LINT_FOLDERS: Readonly<Record<string, Folder>> = {
  "src/lint": {
    question: "which mistakes does an image have",
    mayImport: ["src/format", "src/lint/checks", "src/lint/formats"],
  },
  "src/lint/checks": {
    question: "what is a mistake",
    mayImport: [
      "src/format",
      "src/host",
      "src/lint/check.ts",
      "src/lint/formats",
      "src/lint/kernel.ts",
      "src/lint/tree.ts",
      "src/sysroot/prepare-root.ts",
    ],
  },
  "src/lint/formats": {
    question: "how are the files of a system to be read",
    mayImport: ["src/system/quote.ts"],
  },
  "src/lint/read": {
    question: "what is in the image",
    mayImport: [
      "src/format",
      "src/image",
      "src/lint/check.ts",
      "src/lint/kernel.ts",
      "src/lint/tree.ts",
      "src/programs/rpm.ts",
      "src/programs/skopeo",
      "src/pull/import/blob.ts",
      ...SYSTEM,
      "src/tar",
    ],
  },
  "src/lint/report": {
    question: "how are findings printed",
    mayImport: ["src/lint", "src/version.ts"],
  },
};
