// Which image `bootc upgrade` follows, and what it does with the image it finds.
import { BootcError } from "../errors.ts";
import { describeReference, fromSpecImage, type OstreeReference } from "../image/reference.ts";
import { withTag } from "../image/registry-name.ts";
import type { BootEntry, HostDocument } from "./document.ts";
import { isSameImage } from "./switch.ts";

/** The image to follow, with another tag if one is given; an error when there is no image to follow. */
export function requireUpgradeTarget(
  { spec, status }: HostDocument,
  tag: string | undefined,
): OstreeReference {
  if (spec.image !== null) {
    const reference = fromSpecImage(spec.image);
    return tag === undefined ? reference : { ...reference, image: withTag(reference.image, tag) };
  }
  if (status.booted?.incompatible || status.staged?.incompatible) {
    throw new BootcError(
      "Deployment contains local rpm-ostree modifications; cannot upgrade via bootc",
      { kind: "unsupported", hint: "`rpm-ostree reset` undoes the modifications" },
    );
  }
  if (tag !== undefined) {
    throw new BootcError("--tag requires a booted image to take the name from", {
      kind: "unsupported",
    });
  }
  const problem = status.booted?.problems?.[0];
  throw new BootcError("No image source specified", {
    kind: "unsupported",
    hint: problem
      ? `of the booted deployment ${problem}; \`bootc switch IMAGE\` fixes that`
      : "choose one with `bootc switch IMAGE`",
  });
}

/**
 * `staged`: the image already boots next. `current`: the image is running, and nothing else is staged.
 * `available`: the image has yet to be staged.
 */
export type UpgradeDecision = "staged" | "current" | "available";

export function decideUpgrade(
  { staged, booted }: { readonly staged: BootEntry | null; readonly booted: BootEntry | null },
  digest: string,
): UpgradeDecision {
  // A staged deployment boots next, so compare with that first: a tag may move back to the booted image.
  if (staged !== null) return staged.image?.imageDigest === digest ? "staged" : "available";
  return booted?.image?.imageDigest === digest ? "current" : "available";
}

/** How to change the lock of a staged deployment, and the message to print. */
export interface LockDecision {
  readonly change: "lock" | "unlock" | "keep";
  readonly message: string;
}

/** For when the newest image is already staged: only its lock may have to change. */
export function decideLock(staged: BootEntry, options: { isDownloadOnly: boolean }): LockDecision {
  if (options.isDownloadOnly && !staged.downloadOnly) {
    return { change: "lock", message: "Image downloaded, but will not be applied on reboot" };
  }
  if (!options.isDownloadOnly && staged.downloadOnly) {
    return { change: "unlock", message: "Staged deployment will now be applied on reboot" };
  }
  return { change: "keep", message: "Staged update present, not changed" };
}

/** For `--from-downloaded`: applies the downloaded image without looking for a newer one. */
export function decideFromDownloaded(
  staged: BootEntry | null,
  wanted: OstreeReference,
): LockDecision {
  if (staged === null) throw new BootcError("No staged deployment found");
  const followed = staged.image?.image;
  if (followed && !isSameImage(followed, wanted)) {
    const [has, asked] = [fromSpecImage(followed), wanted].map(describeReference);
    throw new BootcError(`the staged image is ${has}, not ${asked}`, {
      kind: "usage",
      hint: "omit --from-downloaded to fetch it",
    });
  }
  if (staged.downloadOnly) {
    return { change: "unlock", message: "Staged deployment will now be applied on reboot" };
  }
  return { change: "keep", message: "Staged deployment is already set to apply on reboot" };
}
