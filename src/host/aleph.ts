// The aleph file: what a machine was installed from. Written once, never changed by updates.
import { formatCanonicalJson } from "../format/canonical-json.ts";

export interface Aleph {
  /** Undefined for a source that is gone after the installation. */
  readonly image: string | undefined;
  readonly digest: string;
  readonly targetImage: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly version: string | undefined;
  /** Of the system that installed, as `uname -r` says. */
  readonly kernel: string;
  readonly selinux: "enabled" | "disabled" | "host-disabled" | "force-target-disabled";
}

/** `.bootc-aleph.json` at the top of the physical root. */
export function formatAleph(it: Aleph): string {
  return formatCanonicalJson({
    ...(it.image === undefined ? {} : { image: it.image }),
    digest: it.digest,
    "target-image": it.targetImage,
    ...(Object.keys(it.labels).length === 0 ? {} : { labels: it.labels }),
    version: it.version ?? null,
    timestamp: it.labels["org.opencontainers.image.created"] ?? null,
    kernel: it.kernel,
    selinux: it.selinux,
  });
}
