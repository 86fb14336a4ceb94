// What every kind of installation is asked, whatever it installs to.
import type { Bootloader } from "./plan/choices.ts";
import type { MountSpec } from "./plan/mount-spec.ts";

export interface InstallOptions {
  /** `TRANSPORT:NAME`; without it the image is that of the container we run in. */
  readonly sourceImgref?: string;
  /** Undefined: that of the source, where it is also the target; a registry otherwise. */
  readonly targetTransport?: string;
  readonly targetImgref?: string;
  readonly enforceContainerSigpolicy?: boolean;
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

/** A root file system that is mounted and ready to be installed to. */
export interface InstallTarget {
  /** Where the physical root is mounted. */
  readonly root: string;
  /** How the initramfs finds it. */
  readonly kargs: readonly string[];
  /** The line of fstab for `/boot`, where that is a file system of its own. */
  readonly boot: MountSpec | undefined;
  /** The disk below the root, where a boot loader goes; undefined when there is no single one. */
  readonly disk: string | undefined;
  /** Ask for the clean-up of the system that was installed over. */
  readonly wantsCleanup?: boolean;
  /** Removes the boot files of the system that is installed over; for when nothing is left to refuse. */
  readonly emptyBoot?: () => Promise<void>;
}
