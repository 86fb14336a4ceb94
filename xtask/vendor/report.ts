// Describes the result of vendoring: what was kept, and what was dropped for which reason.
import type { Closure, DropReason } from "./closure.ts";
import type { VendorManifest } from "./manifest.ts";

const REASONS: Readonly<Record<DropReason, string>> = {
  kind: "of other kinds",
  platform: "for other platforms",
  excluded: "excluded by name",
  unreached: "that nothing kept needs",
};

/** `kept 24 packages, 4.77 MB: 21 normal, 3 build` */
export function describeKept({ packages }: VendorManifest): string {
  const bytes = packages.reduce((sum, it) => sum + it.sizeBytes, 0);
  const kinds = Map.groupBy(packages, (it) => it.kind);
  const counts = [...kinds].map(([kind, of]) => `${of.length} ${kind}`).join(", ");
  return `kept ${packages.length} packages, ${formatMegabytes(bytes)}: ${counts || "none"}`;
}

/** A line for each reason; with `isVerbose`, also the packages. */
export function describeDropped({ dropped }: Closure, isVerbose: boolean): readonly string[] {
  const groups = Map.groupBy(dropped, (it) => it.reason);
  return (Object.keys(REASONS) as DropReason[]).flatMap((reason) => {
    const of = groups.get(reason) ?? [];
    if (of.length === 0) return [];
    const names = of.map((it) => `  ${it.name}@${it.version}`);
    return [`dropped ${of.length} packages ${REASONS[reason]}`, ...(isVerbose ? names : [])];
  });
}

function formatMegabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(2)} MB`;
}
