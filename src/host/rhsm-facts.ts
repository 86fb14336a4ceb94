// What subscription-manager reports about a host's images.
import type { HostDocument, ImageStatus } from "./document.ts";

/** Flat, as subscription-manager wants facts; what is unknown is an empty text. */
export function rhsmFacts({ status }: HostDocument): Readonly<Record<string, string>> {
  const images = {
    booted: status.booted?.image,
    staged: status.staged?.image,
    rollback: status.rollback?.image,
    available: status.booted?.cachedUpdate,
  };
  return Object.fromEntries(Object.entries(images).flatMap(([slot, it]) => factsOf(slot, it)));
}

function factsOf(slot: string, image: ImageStatus | null | undefined) {
  return [
    [`bootc.${slot}.image`, image?.image.image ?? ""],
    [`bootc.${slot}.version`, image?.version ?? ""],
    [`bootc.${slot}.digest`, image?.imageDigest ?? ""],
  ] as const;
}
