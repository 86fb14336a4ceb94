// The options of every kind of installation, and the target it installs to.
import type { Bootloader } from "./plan/choices.ts";
import type { MountSpec } from "./plan/mount-spec.ts";

export interface InstallOptions {
  /** `TRANSPORT:NAME`. Undefined means the image of the container that we run in. */
  readonly sourceImgref?: string;
  /** Undefined means a registry, except that a named source without a target keeps its own transport. */
  readonly targetTransport?: string;
  readonly targetImgref?: string;
  readonly enforceContainerSigpolicy?: boolean;
  /** Whether the image is put into the machine's container storage, too. */
  readonly experimentalUnifiedStorage?: boolean;
  readonly runFetchCheck?: boolean;
  readonly disableSelinux?: boolean;
  readonly karg?: readonly string[];
  readonly kargDelete?: readonly string[];
  readonly rootSshAuthorizedKeys?: string;
  readonly genericImage?: boolean;
  readonly boundImages: "stored" | "pull" | "skip";
  readonly stateroot?: string;
  readonly bootupdSkipBootUuid?: boolean;
  readonly bootloader?: Bootloader;
}

/** A mounted root file system that is ready for the installation. */
export interface InstallTarget {
  /** The mount point of the physical root. */
  readonly root: string;
  /** The kernel arguments by which the initramfs finds the root. */
  readonly kargs: readonly string[];
  /** The mount of `/boot`, if that is a separate file system. */
  readonly boot: MountSpec | undefined;
  /** The device of the root file system, or the disk that it is on. */
  readonly device: string;
  /** The root's disk, on which to install a boot loader; undefined if the root is not on exactly one. */
  readonly disk: string | undefined;
  /** Whether the first boot removes the rest of the old system. */
  readonly wantsCleanup?: boolean;
  /** Removes the old system's boot files. Called when the installation can no longer be refused. */
  readonly emptyBoot?: () => Promise<void>;
}
