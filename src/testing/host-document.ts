// Host documents for tests of decisions.
import {
  type BootEntry,
  DEFAULT_HOST,
  type HostDocument,
  type HostSpec,
} from "../host/document.ts";

/** A boot entry whose image has this digest. */
export const entry = (digest: string | undefined, more: Partial<BootEntry> = {}): BootEntry => ({
  image:
    digest === undefined
      ? null
      : {
          image: { image: "quay.io/example/os:latest", transport: "registry" },
          version: null,
          timestamp: null,
          imageDigest: digest,
          architecture: "amd64",
        },
  cachedUpdate: null,
  incompatible: false,
  pinned: false,
  softRebootCapable: false,
  downloadOnly: false,
  store: null,
  ostree: null,
  composefs: null,
  ...more,
});

/** A host whose booted image has the digest `A`. */
export const host = (spec: Partial<HostSpec>, booted: Partial<BootEntry> = {}): HostDocument => ({
  ...DEFAULT_HOST,
  spec: { ...DEFAULT_HOST.spec, ...spec },
  status: { ...DEFAULT_HOST.status, booted: entry("A", booted) },
});

export const image = { image: "quay.io/example/os:latest", transport: "registry" };
