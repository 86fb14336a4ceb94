// What `bootc upgrade` follows, and what it does about what it finds there.
import { BootcError } from "../errors.ts";
import { describeReference, fromSpecImage, type OstreeReference } from "../image/reference.ts";
import { withTag } from "../image/registry-name.ts";
import type { BootEntry, HostDocument } from "./document.ts";
import { isSameImage } from "./switch.ts";

/** The image to follow, with another tag if one is given; an error where there is none to follow. */
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
      ? `of the booted deployment ${problem}; \`bootc switch IMAGE\` mends that`
      : "choose one with `bootc switch IMAGE`",
  });
}

/**
 * `staged`: it is what boots next already. `current`: it is what runs, and nothing else is staged.
 * `available`: it has to be staged.
 */
export type UpgradeDecision = "staged" | "current" | "available";

export function decideUpgrade(
  { staged, booted }: { readonly staged: BootEntry | null; readonly booted: BootEntry | null },
  digest: string,
): UpgradeDecision {
  // What is staged boots next, so it is what we compare with when there is one: a tag may move back.
  if (staged !== null) return staged.image?.imageDigest === digest ? "staged" : "available";
  return booted?.image?.imageDigest === digest ? "current" : "available";
}

/** What has to happen to the lock of a staged deployment, and what is said about it. */
export interface LockDecision {
  readonly change: "lock" | "unlock" | "keep";
  readonly message: string;
}

/** The newest image is staged already: only whether it is applied may have to change. */
export function decideLock(staged: BootEntry, options: { isDownloadOnly: boolean }): LockDecision {
  if (options.isDownloadOnly && !staged.downloadOnly) {
    return { change: "lock", message: "Image downloaded, but will not be applied on reboot" };
  }
  if (!options.isDownloadOnly && staged.downloadOnly) {
    return { change: "unlock", message: "Staged deployment will now be applied on reboot" };
  }
  return { change: "keep", message: "Staged update present, not changed" };
}

/** `--from-downloaded`: what was downloaded is applied, without looking for anything newer. */
export function decideFromDownloaded(
  staged: BootEntry | null,
  wanted: OstreeReference,
): LockDecision {
  if (staged === null) throw new BootcError("No staged deployment found");
  const followed = staged.image?.image;
  if (followed && !isSameImage(followed, wanted)) {
    const [has, asked] = [fromSpecImage(followed), wanted].map(describeReference);
    throw new BootcError(`what is staged is ${has}, not ${asked}`, {
      kind: "usage",
      hint: "without --from-downloaded it is fetched",
    });
  }
  if (staged.downloadOnly) {
    return { change: "unlock", message: "Staged deployment will now be applied on reboot" };
  }
  return { change: "keep", message: "Staged deployment is already set to apply on reboot" };
}
