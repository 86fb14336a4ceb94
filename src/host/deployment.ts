// A deployment as the machine's files describe it, before it becomes an entry in the host document.
import type { OstreeReference } from "../image/reference.ts";
import type { ImageSummary } from "./image-status.ts";

/** What the boot loader, ostree's files and the repository know about one bootable system. */
export interface Deployment {
  readonly stateroot: string;
  /** The commit's checksum: 64 hex digits. */
  readonly checksum: string;
  readonly serial: number;
  readonly bootChecksum: string | undefined;
  readonly isStaged: boolean;
  readonly isBooted: boolean;
  readonly isPinned: boolean;
  /** The pin is ours, and goes with the deployment once the update that superseded it has proved itself. */
  readonly isSuperseded: boolean;
  /** The deployment is staged, but the next shutdown will not apply it. */
  readonly isLocked: boolean;
  readonly unlocked: Unlocked;
  /** Kernel arguments from its boot entry or from the staging file; undefined when unknown. */
  readonly bootOptions: string | undefined;
  /** Why a soft reboot into it is impossible; undefined when it is possible. */
  readonly softRebootObstacle: string | undefined;
  readonly origin: Origin;
  /** What the deployed commit says about its image; undefined when it comes from none. */
  readonly content: ImageSummary | undefined;
  readonly cachedUpdate: ImageSummary | undefined;
  /** What could not be read, as sentences without a period. */
  readonly problems: readonly string[];
}

/** A deployment by its place in ostree's directories. */
export interface NamedDeployment {
  readonly stateroot: string;
  /** `COMMIT.SERIAL`. */
  readonly name: string;
}

export type Unlocked = "none" | "development" | "transient" | "hotfix";

/** The parts of a deployment's origin file that matter here. */
export interface Origin {
  readonly image: OstreeReference | undefined;
  /** The branch that a plain ostree deployment follows. */
  readonly refspec: string | undefined;
  /** rpm-ostree has changed the deployment in ways that an image cannot express. */
  readonly isIncompatible: boolean;
}

/** An entry that we cannot match to a deployment: its name and what is wrong with it. */
export interface UnreadableEntry {
  readonly name: string;
  readonly problem: string;
}

/** Everything known about the state of a host. */
export interface Sysroot {
  /** In ostree's order: the staged one, then the boot loader's order, its default first. */
  readonly deployments: readonly Deployment[];
  readonly unreadable: readonly UnreadableEntry[];
  /** `/sysroot` is on a read-only medium. */
  readonly isReadOnly: boolean;
  /** When an earlier privileged run read the boot loader's entries; undefined if they were read just now. */
  readonly entriesReadAt: string | undefined;
}

export function identifyDeployment(
  it: Pick<Deployment, "stateroot" | "checksum" | "serial">,
): NamedDeployment {
  return { stateroot: it.stateroot, name: nameDeployment(it) };
}

export function isSameDeployment(one: NamedDeployment, other: NamedDeployment): boolean {
  return one.name === other.name && one.stateroot === other.stateroot;
}

/** The deployment's name as file names and ostree's messages have it. */
export function nameDeployment(deployment: Pick<Deployment, "checksum" | "serial">): string {
  return `${deployment.checksum}.${deployment.serial}`;
}
