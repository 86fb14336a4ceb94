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
  keyfileFlag,
  keyfileValue,
  parseKeyfile,
  withKeyfileValue,
  withoutKeyfileKey,
} from "./keyfile.ts";

/** rpm-ostree adds one of these groups when a deployment is more than its image. */
const LAYERING_GROUPS = ["rpmostree", "packages", "overrides", "modules"];

export interface OriginFile extends Origin {
  readonly isPinned: boolean;
  /** The pin is ours, as `pinAsSuperseded` sets it. */
  readonly isSuperseded: boolean;
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
    isPinned: keyfileFlag(keyfile, TRANSIENT_GROUP, "pinned") === true,
    isSuperseded: isOurPin(keyfile),
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

/** ostree leaves it to all programs, for what belongs to one deployment alone. */
const TRANSIENT_GROUP = "libostree-transient";

/** Says that the pin is ours. */
const OUR_PIN = "bootc-superseded";

/**
 * Pins a deployment until we remove it; one that is pinned stays as it is. ostree takes `1` for a pin, but
 * writes `true`: if a person unpins the deployment and pins it anew, that pin is theirs.
 */
export function pinAsSuperseded(text: string): string {
  if (keyfileFlag(parseKeyfile(text), TRANSIENT_GROUP, "pinned") === true) return text;
  const pinned = withKeyfileValue(parseKeyfile(text), TRANSIENT_GROUP, {
    key: "pinned",
    value: "1",
  });
  return formatKeyfile(withKeyfileValue(pinned, TRANSIENT_GROUP, { key: OUR_PIN, value: "true" }));
}

export function isPinnedAsSuperseded(text: string): boolean {
  return isOurPin(parseKeyfile(text));
}

function isOurPin(keyfile: Keyfile): boolean {
  const isOurs = keyfileFlag(keyfile, TRANSIENT_GROUP, OUR_PIN) === true;
  return isOurs && keyfileValue(keyfile, TRANSIENT_GROUP, "pinned") === "1";
}

/** Takes back our pin, and no other. */
export function unpinSuperseded(text: string): string {
  if (!isPinnedAsSuperseded(text)) return text;
  return formatKeyfile(
    [OUR_PIN, "pinned"].reduce(
      (it, key) => withoutKeyfileKey(it, TRANSIENT_GROUP, key),
      parseKeyfile(text),
    ),
  );
}

/** What belongs to one deployment alone: a pin, an overlay, a commit to return from. */
const TRANSIENT = [
  [TRANSIENT_GROUP, "pinned"],
  [TRANSIENT_GROUP, OUR_PIN],
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
