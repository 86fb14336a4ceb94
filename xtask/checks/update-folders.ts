// The folders of automatic updates, for the table of the architecture.
import { type Folder, SYSTEM } from "./folder.ts";

export const UPDATE_FOLDERS: Readonly<Record<string, Folder>> = {
  "src/health": {
    question: "what happens to a system that does not prove itself",
    mayImport: ["src/updates"],
  },
  "src/health/machine": {
    question: "what is wrong with the system that runs",
    mayImport: [
      "src/deploy",
      "src/health",
      "src/host",
      "src/programs",
      "src/sysroot",
      ...SYSTEM,
      "src/updates/config",
      "src/updates/machine",
    ],
  },
  "src/updates": {
    question: "when may a host update itself",
    mayImport: ["src/format", "src/host", "src/image", "src/updates/config"],
  },
  "src/updates/config": {
    question: "what may be configured for automatic updates",
    mayImport: ["src/format"],
  },
  "src/updates/machine": {
    question: "what does this machine say about automatic updates",
    mayImport: [
      "src/deploy",
      "src/format",
      "src/host",
      "src/image",
      "src/programs",
      "src/programs/skopeo",
      "src/sysroot",
      ...SYSTEM,
      "src/updates",
      "src/updates/config",
    ],
  },
};
