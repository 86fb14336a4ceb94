// The aleph file: what a machine was installed from. Installation writes it, updates never change it.
import { formatCanonicalJson } from "../format/canonical-json.ts";

export interface Aleph {
  /** Undefined when the source no longer exists after the installation. */
  readonly image: string | undefined;
  readonly digest: string;
  readonly targetImage: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly version: string | undefined;
  /** The kernel of the installing system, as `uname -r` prints it. */
  readonly kernel: string;
  readonly selinux: "enabled" | "disabled" | "host-disabled" | "force-target-disabled";
}

/** `.bootc-aleph.json` at the top of the physical root. */
export function formatAleph(aleph: Aleph): string {
  return formatCanonicalJson({
    ...(aleph.image === undefined ? {} : { image: aleph.image }),
    digest: aleph.digest,
    "target-image": aleph.targetImage,
    ...(Object.keys(aleph.labels).length === 0 ? {} : { labels: aleph.labels }),
    version: aleph.version ?? null,
    timestamp: aleph.labels["org.opencontainers.image.created"] ?? null,
    kernel: aleph.kernel,
    selinux: aleph.selinux,
  });
}
