// The architecture as a table: which question each folder answers, and what it may import.
import { type Folder, PURE, SYSTEM } from "./folder.ts";
import { LINT_FOLDERS } from "./lint-folders.ts";
import { PULL_FOLDERS } from "./pull-folders.ts";
import { TOOL_FOLDERS } from "./tool-folders.ts";
import { UPDATE_FOLDERS } from "./update-folders.ts";

/** Every folder may import these. */
export const ALWAYS: readonly string[] = ["src/errors.ts", "src/printable.ts"];

/** Packages and modules that few folders may import: the doors to processes and to the C library. */
export const DOORS: Readonly<Record<string, readonly string[]>> = {
  execa: ["src/system"],
  child_process: [],
  // Benchmarks measure processes with as little as possible around them.
  "node:child_process": ["src/system", "bench", "bench/images"],
  "node:ffi": ["src/native"],
};

/** The folders of the product that may start programs; everything else calls a function of theirs. */
export const STARTING = /^src\/(programs|process|system)\//;

const PROGRAMS = [
  "src/programs",
  "src/programs/boot",
  "src/programs/disk",
  "src/programs/ostree",
  "src/programs/skopeo",
];
const FOR_COMMANDS = [
  "src/cli/options.ts",
  ...PURE,
  "src/amend",
  "src/format/schema",
  "src/deploy",
  "src/deploy/bound-images",
  "src/deploy/shutdown",
  "src/drift",
  "src/export",
  "src/install",
  "src/install/disk",
  "src/install/machine",
  "src/install/plan",
  "src/native",
  "src/progress",
  "src/reinstall",
  "src/repository",
  "src/repository/clean",
  "src/sysroot",
  ...SYSTEM,
  "src/version.ts",
  ...PROGRAMS,
  ...Object.keys(PULL_FOLDERS),
];

export const FOLDERS: Readonly<Record<string, Folder>> = {
  src: {
    question: "where does it start",
    mayImport: ["src/cli", "src/process", ...SYSTEM],
  },
  "src/cli": {
    question: "how is a command line read",
    mayImport: ["src/cli/verbs", "src/image", ...SYSTEM, "src/version.ts"],
  },
  "src/cli/verbs": {
    question: "what can I type",
    mayImport: [
      "src/cli/commander.ts",
      "src/cli/options.ts",
      "src/cli/tree.ts",
      "src/commands",
      "src/commands/container",
      "src/commands/image",
      "src/commands/install",
      "src/commands/internals",
      "src/commands/loader-entries",
      "src/commands/ostree-container",
      "src/commands/ostree-container/image",
      "src/commands/updates",
      "src/image",
      "src/install/plan/choices.ts",
      ...SYSTEM,
      "src/version.ts",
    ],
  },
  "src/cli/completion": {
    question: "how does a shell complete it",
    mayImport: ["src/cli/tree.ts", ...SYSTEM],
  },
  "src/commands": {
    question: "what happens when I type it",
    mayImport: [
      ...FOR_COMMANDS,
      "src/cli/commander.ts",
      "src/cli/completion",
      "src/cli/tree.ts",
      // What was found wrong with an image counts for verbs of people, too.
      "src/health",
      "src/updates/machine",
    ],
    isApart: true,
  },
  "src/commands/container": {
    question: "what happens at `bootc container …`",
    // Labels by the policy of an image, and the tar of an image.
    mayImport: [...FOR_COMMANDS, ...Object.keys(LINT_FOLDERS), "src/native", "src/tar"],
    isApart: true,
    sizeReason: "a file for each verb",
  },
  "src/commands/image": {
    question: "what happens at `bootc image …`",
    mayImport: FOR_COMMANDS,
    isApart: true,
  },
  "src/commands/install": {
    question: "what happens at `bootc install …`",
    mayImport: FOR_COMMANDS,
    isApart: true,
  },
  "src/commands/internals": {
    question: "what happens at `bootc internals …`",
    mayImport: [
      ...FOR_COMMANDS,
      "src/cli/commander.ts",
      "src/health",
      "src/health/machine",
      "src/updates/machine",
    ],
    isApart: true,
    sizeReason: "a file for each verb",
  },
  "src/commands/loader-entries": {
    question: "what happens at `bootc loader-entries …`",
    mayImport: FOR_COMMANDS,
    isApart: true,
    sizeReason: "the group has one verb",
  },
  "src/commands/ostree-container": {
    question: "what happens at `ostree container …`",
    mayImport: FOR_COMMANDS,
  },
  "src/commands/ostree-container/image": {
    question: "what happens at `ostree container image …`",
    mayImport: [...FOR_COMMANDS, "src/commands/ostree-container/planned-pull.ts"],
    isApart: true,
  },
  "src/commands/updates": {
    question: "what happens at `bootc updates …`",
    // `run` takes its steps as a person would.
    mayImport: [
      ...FOR_COMMANDS,
      "src/commands/upgrade.ts",
      "src/updates",
      "src/updates/config",
      "src/updates/machine",
    ],
    isApart: true,
  },
  "src/format": {
    question: "how do we print and read plain data",
    mayImport: [],
  },
  "src/format/schema": {
    question: "which JSON schemas do our outputs follow",
    mayImport: [],
  },
  "src/image": {
    question: "what is an image",
    mayImport: ["src/format"],
  },
  "src/ostree": {
    question: "which formats does ostree use",
    mayImport: ["src/host/deployment.ts", "src/image"],
  },
  "src/tar": {
    question: "how is a tar written",
    mayImport: ["src/ostree"],
  },
  "src/host": {
    question: "what do we know and decide",
    mayImport: ["src/format", "src/image", "src/ostree"],
  },
  "src/host/boot": {
    question: "what is the next boot, and what does a boot need",
    mayImport: ["src/host"],
  },
  "src/sysroot": {
    question: "where does this host stand",
    // A soft reboot depends on ostree's version; what is mounted read-only is made writable.
    mayImport: [...PURE, "src/programs/disk/mount.ts", "src/programs/ostree/version.ts", ...SYSTEM],
  },
  "src/repository": {
    question: "what is in an ostree repository, and who may write it",
    mayImport: [
      ...PURE,
      "src/native",
      "src/programs/disk/fs.ts",
      "src/programs/ostree",
      "src/sysroot",
      ...SYSTEM,
    ],
  },
  "src/repository/clean": {
    question: "what of a repository may go",
    mayImport: [
      ...PURE,
      "src/native",
      "src/programs/ostree",
      "src/repository",
      "src/sysroot",
      ...SYSTEM,
    ],
  },
  "src/export": {
    question: "how does a commit become an image",
    mayImport: [
      ...PURE,
      "src/native",
      "src/programs/skopeo",
      "src/pull/import/blob.ts",
      "src/pull/store",
      "src/repository",
      ...SYSTEM,
      "src/tar",
    ],
  },
  "src/amend": {
    question: "how is what a repository has signed, or found wrong, later",
    mayImport: [
      ...PURE,
      "src/export",
      "src/native",
      "src/programs",
      "src/pull/merge",
      "src/pull/store",
      "src/repository",
      ...SYSTEM,
    ],
  },
  "src/progress": {
    question: "what do we report meanwhile",
    mayImport: ["src/format", "src/host", "src/host/boot", "src/image", ...SYSTEM],
  },
  "src/deploy": {
    question: "how does a commit become what boots next",
    mayImport: [
      ...PURE,
      "src/deploy/bound-images",
      "src/deploy/shutdown",
      "src/native",
      "src/progress",
      "src/pull",
      "src/pull/labels",
      "src/pull/plan",
      "src/repository",
      "src/repository/clean",
      "src/sysroot",
      ...SYSTEM,
      ...PROGRAMS,
    ],
  },
  "src/deploy/bound-images": {
    question: "how do an image's bound images get here",
    mayImport: [
      ...PURE,
      "src/deploy/label-files.ts",
      "src/install/request.ts",
      "src/programs/disk/fs.ts",
      "src/programs/disk/mount.ts",
      "src/programs/podman.ts",
      "src/programs/skopeo",
      "src/pull/fetch/retry.ts",
      "src/repository",
      "src/repository/clean/cleanup.ts",
      "src/sysroot",
      ...SYSTEM,
    ],
  },
  "src/deploy/shutdown": {
    question: "what does the shutdown need that applies an update",
    // What an update has superseded stays as long as the update is on trial.
    mayImport: [
      "src/deploy/after-change.ts",
      "src/deploy/prepare-write.ts",
      "src/format",
      "src/health/machine/read-trial.ts",
      "src/health/states.ts",
      "src/host",
      "src/ostree/origin.ts",
      "src/programs/disk/fs.ts",
      "src/programs/ostree",
      "src/repository",
      "src/sysroot",
      ...SYSTEM,
    ],
  },
  "src/drift": {
    question: "how do two trees of files differ, and how do they agree again",
    mayImport: ["src/native", ...SYSTEM],
  },
  "src/install": {
    question: "how does a disk become a host",
    mayImport: [
      ...PURE,
      "src/deploy",
      "src/deploy/bound-images",
      "src/install/disk",
      "src/install/machine",
      "src/install/plan",
      "src/progress",
      "src/pull",
      "src/pull/plan",
      "src/repository",
      "src/sysroot",
      ...SYSTEM,
      ...PROGRAMS,
    ],
  },
  "src/reinstall": {
    question: "how is a running system of another kind replaced",
    mayImport: ["src/format", "src/programs", ...SYSTEM],
  },
  "src/install/plan": {
    question: "what does an installation want",
    mayImport: PURE,
  },
  "src/install/disk": {
    question: "how is the target disk prepared",
    mayImport: [
      ...PURE,
      "src/install/machine",
      "src/install/plan",
      "src/install/prepared.ts",
      "src/install/request.ts",
      "src/programs/disk",
      "src/sysroot",
      ...SYSTEM,
    ],
  },
  "src/install/machine": {
    question: "what of the installing machine is used",
    mayImport: [...PURE, "src/programs", "src/programs/disk", "src/programs/skopeo", ...SYSTEM],
  },
  "src/programs": {
    question: "who does the work",
    mayImport: ["src/programs/ostree", ...SYSTEM],
  },
  "src/programs/ostree": {
    question: "who does the work on repositories and deployments",
    mayImport: [...PURE, "src/sysroot", ...SYSTEM],
  },
  "src/programs/skopeo": {
    question: "who copies images",
    mayImport: [...PURE, "src/native", ...SYSTEM, "src/version.ts"],
  },
  "src/programs/disk": {
    question: "who knows and changes disks",
    mayImport: ["src/format", "src/install/plan", ...SYSTEM],
  },
  "src/programs/boot": {
    question: "who installs boot loaders",
    mayImport: [...SYSTEM],
    sizeReason: "two boot loader installers are all there are",
  },
  "src/native": {
    question: "which functions of C libraries do we call",
    mayImport: [...SYSTEM],
  },
  "src/process": {
    question: "how does the process itself print and end",
    mayImport: [...SYSTEM],
  },
  "src/system/root": {
    question: "in which root do we work",
    mayImport: ["src/system"],
  },
  "src/system": {
    question: "how do we touch the machine",
    mayImport: [],
  },
  ...LINT_FOLDERS,
  ...PULL_FOLDERS,
  ...UPDATE_FOLDERS,
  ...TOOL_FOLDERS,
};
