// A deployment as the machine's files describe it, before it becomes an entry of the host document.
import type { OstreeReference } from "../image/reference.ts";
import type { ImageSummary } from "./image-status.ts";

/** What the boot loader, ostree's files and the repository say about one bootable system. */
export interface Deployment {
  readonly stateroot: string;
  /** The commit, 64 hex digits. */
  readonly checksum: string;
  readonly serial: number;
  readonly bootChecksum: string | undefined;
  readonly isStaged: boolean;
  readonly isBooted: boolean;
  readonly isPinned: boolean;
  /** Staged, and not to be applied at the next shutdown. */
  readonly isLocked: boolean;
  readonly unlocked: Unlocked;
  /** The kernel arguments of its boot entry or of its staging; undefined when they cannot be known. */
  readonly bootOptions: string | undefined;
  /** What stands in the way of a soft reboot into it; undefined when nothing does. */
  readonly softRebootObstacle: string | undefined;
  readonly origin: Origin;
  /** What the deployed commit says about its image; undefined when it comes from none. */
  readonly content: ImageSummary | undefined;
  readonly cachedUpdate: ImageSummary | undefined;
  /** What could not be read, as sentences without a period. */
  readonly problems: readonly string[];
}

export type Unlocked = "none" | "development" | "transient" | "hotfix";

/** What a deployment's origin file says, as far as it matters here. */
export interface Origin {
  readonly image: OstreeReference | undefined;
  /** A branch of a plain ostree deployment. */
  readonly refspec: string | undefined;
  /** rpm-ostree has changed it in ways an image cannot carry. */
  readonly isIncompatible: boolean;
}

/** An entry that names no deployment we can make out: its name and what is wrong with it. */
export interface UnreadableEntry {
  readonly name: string;
  readonly problem: string;
}

/** All that is known about where a host stands. */
export interface Sysroot {
  /** In ostree's order: what is staged, then by the boot loader's order, its default first. */
  readonly deployments: readonly Deployment[];
  readonly unreadable: readonly UnreadableEntry[];
  /** `/sysroot` lies on a medium that cannot be written. */
  readonly isReadOnly: boolean;
  /** When the boot loader's entries were read, if not just now but by an earlier privileged run. */
  readonly entriesReadAt: string | undefined;
}

/** The deployment's name in file names and in ostree's messages. */
export function nameDeployment(it: Pick<Deployment, "checksum" | "serial">): string {
  return `${it.checksum}.${it.serial}`;
}
