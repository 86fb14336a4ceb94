// The architecture of xtask and bench: which question each folder answers, and what it may import.
import { type Folder, SYSTEM } from "./folder.ts";

/** What the code of every task may use. */
const TASK = ["src/process", ...SYSTEM, "xtask/task.ts"];

export const TOOL_FOLDERS: Readonly<Record<string, Folder>> = {
  xtask: {
    question: "what can a maintainer ask for",
    mayImport: [
      "bench/bench.ts",
      "bench/benches.ts",
      "bench/chart.ts",
      "bench/figures.ts",
      "bench/page.ts",
      "bench/pulls/early-functions.ts",
      "src/cli",
      "src/cli/verbs",
      "src/process",
      ...SYSTEM,
      "xtask/archive",
      "xtask/build",
      "xtask/checkout",
      "xtask/checks",
      "xtask/copr",
      "xtask/copr/build",
      "xtask/copr/project",
      "xtask/elf",
      "xtask/licenses",
      "xtask/man",
      "xtask/mutate",
      "xtask/npm",
      "xtask/release",
      "xtask/remote",
      "xtask/rpm",
      "xtask/runtime",
      "xtask/sbom",
      "xtask/suites",
      "xtask/vendor",
    ],
    sizeReason: "one file a task",
  },
  "xtask/archive": {
    question: "how does a file get packed, and made only once",
    mayImport: [...TASK],
  },
  "xtask/build": {
    question: "how does the program become one executable",
    mayImport: [...TASK, "xtask/archive", "xtask/elf", "xtask/runtime"],
  },
  "xtask/checkout": {
    question: "which version is this",
    mayImport: [...TASK, "xtask/checks"],
  },
  "xtask/checks": {
    question: "what has to be true of the repository and this machine",
    mayImport: [...TASK, "xtask/archive", "xtask/vendor"],
  },
  "xtask/copr": {
    question: "how does COPR build it",
    mayImport: [
      ...TASK,
      "xtask",
      "xtask/archive",
      "xtask/checkout",
      "xtask/checks",
      "xtask/copr/build",
      "xtask/copr/project",
      "xtask/release",
      "xtask/remote",
    ],
  },
  "xtask/copr/build": {
    question: "how does a build on COPR go",
    mayImport: [
      ...TASK,
      "xtask/copr/api.ts",
      "xtask/copr/connection.ts",
      "xtask/copr/project",
      "xtask/remote",
    ],
  },
  "xtask/copr/project": {
    question: "which settings does the project have on COPR",
    mayImport: [...TASK, "xtask/copr/api.ts", "xtask/copr/connection.ts"],
  },
  "xtask/elf": {
    question: "how is an ELF file read and changed",
    mayImport: ["src/system/hidden-environment.ts"],
  },
  "xtask/licenses": {
    question: "which licences do the contents have",
    mayImport: [...TASK, "xtask/runtime", "xtask/vendor", "xtask/vendor.ts"],
  },
  "xtask/man": {
    question: "how do pages and completions get generated",
    mayImport: [...TASK, "src/cli", "xtask/archive"],
  },
  "xtask/mutate": {
    question: "which change of the code would no test notice",
    mayImport: [...TASK, "xtask/suites/apart.ts"],
  },
  "xtask/npm": {
    question: "how does a package come from a registry",
    mayImport: [...TASK, "xtask/archive", "xtask/remote"],
    sizeReason: "npm's settings and a fetch",
  },
  "xtask/release": {
    question: "what does a release consist of",
    mayImport: [
      ...TASK,
      "xtask",
      "xtask/archive",
      "xtask/checkout",
      "xtask/remote",
      "xtask/rpm",
      "xtask/runtime",
    ],
  },
  "xtask/remote": {
    question: "how do we talk to a server",
    mayImport: [...TASK],
  },
  "xtask/rpm": {
    question: "how do we make RPM packages",
    mayImport: [
      ...TASK,
      "xtask/archive",
      "xtask/checkout",
      "xtask/checks",
      "xtask/licenses",
      "xtask/runtime",
      "xtask/vendor",
      "xtask/vendor.ts",
    ],
  },
  "xtask/runtime": {
    question: "which Node is inside the executable",
    mayImport: [...TASK, "xtask/archive", "xtask/elf", "xtask/npm"],
  },
  "xtask/sbom": {
    question: "what is inside",
    mayImport: [...TASK, "xtask/licenses", "xtask/vendor"],
  },
  "xtask/suites": {
    question: "how does a test suite run, and with which result",
    mayImport: [...TASK],
  },
  "xtask/vendor": {
    question: "how does a build get its dependencies offline",
    mayImport: [...TASK, "xtask/archive", "xtask/npm"],
  },
  bench: {
    question: "how fast is it, against what",
    mayImport: [
      ...TASK,
      "bench/pulls/cases.ts",
      "src/pull/merge",
      "xtask",
      "xtask/archive",
      "xtask/build",
      "xtask/checks",
      "xtask/elf",
      "xtask/runtime",
    ],
  },
  "bench/images": {
    question: "which images are pulled",
    mayImport: [...TASK, "xtask/archive", "xtask/checks"],
  },
  "bench/pulls": {
    question: "which pulls are compared",
    mayImport: [
      ...TASK,
      "bench/bench.ts",
      "bench/figures.ts",
      "bench/images",
      "bench/measure.ts",
      "bench/start-up.ts",
      "xtask/build",
    ],
  },
};
