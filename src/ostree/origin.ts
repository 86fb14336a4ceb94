// Origin files say what a deployment was made from. Format: ostree's key file beside each deployment.
import { BootcError } from "../errors.ts";
import type { Origin } from "../host/deployment.ts";
import {
  formatOstreeReference,
  type OstreeReference,
  parseOstreeReference,
} from "../image/reference.ts";
import {
  formatKeyfile,
  hasGroup,
  type Keyfile,
  keyfileValue,
  parseKeyfile,
  withKeyfileValue,
  withoutKeyfileKey,
} from "./keyfile.ts";

/** rpm-ostree adds one of these groups when a deployment is more than its image. */
const LAYERING_GROUPS = ["rpmostree", "packages", "overrides", "modules"];

export interface OriginFile extends Origin {
  readonly isPinned: boolean;
  readonly isHotfix: boolean;
}

/** An image reference that we do not understand is an error. */
export function parseOrigin(text: string): OriginFile {
  const keyfile = parseKeyfile(text);
  const reference = keyfileValue(keyfile, "origin", "container-image-reference");
  return {
    image: reference === undefined ? undefined : parseReference(reference),
    refspec: keyfileValue(keyfile, "origin", "refspec"),
    isIncompatible: LAYERING_GROUPS.some((it) => hasGroup(keyfile, it)),
    isPinned: keyfileValue(keyfile, "libostree-transient", "pinned") === "true",
    isHotfix: keyfileValue(keyfile, "origin", "unlocked") === "hotfix",
  };
}

/** The origin of a new deployment of this image. */
export function formatOrigin(image: OstreeReference): string {
  return formatKeyfile(withReference(parseKeyfile(""), image));
}

/** The same origin for another image; keys that we do not understand are kept. */
export function replaceOriginImage(text: string, image: OstreeReference): string {
  const keyfile = ["refspec", "baserefspec"].reduce(
    (it, key) => withoutKeyfileKey(it, "origin", key),
    parseKeyfile(text),
  );
  return formatKeyfile(withReference(keyfile, image));
}

/** What belongs to one deployment alone: a pin, an overlay, a commit to return from. */
const TRANSIENT = [
  ["libostree-transient", "pinned"],
  ["origin", "unlocked"],
  ["origin", "override-commit"],
] as const;

/** The origin for another deployment of the same content; keys that we do not understand are kept. */
export function inheritOrigin(text: string): string {
  return formatKeyfile(
    TRANSIENT.reduce(
      (keyfile, [group, key]) => withoutKeyfileKey(keyfile, group, key),
      parseKeyfile(text),
    ),
  );
}

function withReference(keyfile: Keyfile, image: OstreeReference): Keyfile {
  const value = formatOstreeReference(image);
  return withKeyfileValue(keyfile, "origin", { key: "container-image-reference", value });
}

function parseReference(text: string): OstreeReference {
  try {
    return parseOstreeReference(text);
  } catch (cause) {
    if (!(cause instanceof BootcError)) throw cause;
    // The mistake is in a file, so it is not a usage error.
    throw new BootcError(cause.message, { kind: "failed" });
  }
}
