// The host document: what `bootc status` prints and `bootc edit` reads, version org.containers.bootc/v1.
// Tests check the published schema against these types. Keys stand in the order in which they are printed.
import type { SpecImage } from "../image/reference.ts";

export interface HostDocument {
  readonly apiVersion: "org.containers.bootc/v1";
  readonly kind: "BootcHost";
  readonly metadata: HostMetadata;
  readonly spec: HostSpec;
  readonly status: HostStatus;
}

export interface HostMetadata {
  readonly name: "host";
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface HostSpec {
  readonly image: SpecImage | null;
  readonly bootOrder: BootOrder;
}

export type BootOrder = "default" | "rollback";

export interface HostStatus {
  readonly staged: BootEntry | null;
  readonly booted: BootEntry | null;
  readonly rollback: BootEntry | null;
  readonly otherDeployments?: readonly BootEntry[];
  readonly rollbackQueued: boolean;
  readonly type: "bootcHost" | null;
  readonly usrOverlay: UsrOverlay | null;
  /** `/sysroot` is on a read-only medium. */
  readonly readOnly: boolean;
}

export interface UsrOverlay {
  readonly accessMode: "readOnly" | "readWrite";
  readonly persistence: "transient" | "persistent";
}

export interface BootEntry {
  readonly image: ImageStatus | null;
  readonly cachedUpdate: ImageStatus | null;
  readonly incompatible: boolean;
  readonly pinned: boolean;
  readonly softRebootCapable: boolean;
  readonly downloadOnly: boolean;
  readonly store: "ostreeContainer" | null;
  readonly ostree: OstreeEntry | null;
  /** Upstream's other storage backend, which no host of ours uses. */
  readonly composefs: null;
  /** Which parts of this entry could not be read; absent when everything could. */
  readonly problems?: readonly string[];
  /** The pin is ours, and the next clean-up removes the entry; absent otherwise. */
  readonly superseded?: boolean;
}

export interface ImageStatus {
  readonly image: SpecImage;
  readonly version: string | null;
  /** RFC 3339. */
  readonly timestamp: string | null;
  readonly imageDigest: string;
  /** OCI's name of the architecture: `amd64`, `arm64`. */
  readonly architecture: string;
}

export interface OstreeEntry {
  readonly stateroot: string;
  readonly checksum: string;
  readonly deploySerial: number;
}

/** The annotation that says when the boot loader's entries were read, unless that was just now. */
export const ENTRIES_READ_AT = "org.containers.bootc/boot-entries-read-at";

/** The document for a container, and for a machine that does not boot from an image. */
export const DEFAULT_HOST: HostDocument = {
  apiVersion: "org.containers.bootc/v1",
  kind: "BootcHost",
  metadata: { name: "host" },
  spec: { image: null, bootOrder: "default" },
  status: {
    staged: null,
    booted: null,
    rollback: null,
    rollbackQueued: false,
    type: null,
    usrOverlay: null,
    readOnly: false,
  },
};
